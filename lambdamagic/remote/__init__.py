"""What runs inside Lambda.

Called, it is the decorator `@lambdamagic.remote(memory_mb=...)`: the name that people expect there was taken by this
package, and Python sets a package's attribute to its subpackage whenever anything below that is imported.
"""

import sys
import types


class _Remote(types.ModuleType):
    def __call__(self, *args: object, **options: object) -> object:
        import importlib

        # By its name: nothing that runs in Lambda depends on it.
        return importlib.import_module("lambdamagic.api.remote_function").remote(*args, **options)


sys.modules[__name__].__class__ = _Remote
