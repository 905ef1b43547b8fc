"""`python -m evcs ROLE [CP]`: what supervisord starts."""

import importlib
import sys
import types

#: What the standard library and paho import and a CP process hardly ever uses: tracebacks,
#: addresses in URLs, websockets. A fifth of its start (measured).
HARDLY_USED = ("base64", "hashlib", "ipaddress", "traceback", "uuid")


class Later(types.ModuleType):
    """Stands for a module until something is wanted of it."""

    def __getattr__(self, name: str) -> object:
        del sys.modules[self.__name__]
        real = importlib.import_module(self.__name__)
        self.__dict__.update(vars(real))
        return getattr(real, name)


if sys.argv[1:2] in (["engine"], ["monitor"]):
    sys.modules.update({name: Later(name) for name in HARDLY_USED})

from evcs.bootstrap import main  # noqa: E402

main()
