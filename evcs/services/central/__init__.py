"""The Central process: judges every CP, authorises drivers, keeps the ledger, issues tickets."""
