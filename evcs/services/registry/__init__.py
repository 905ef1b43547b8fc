"""The Registry process: the only writer of desired state and of identities."""
