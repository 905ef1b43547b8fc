"""`python -m evcs ROLE [CP]`: what supervisord starts."""

from evcs.bootstrap import main

main()
