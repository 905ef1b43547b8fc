"""One module or package for each process that supervisord runs."""
