"""The invoke seam: `base` (the protocol), `aws` (Lambda's Invoke), `fake` (scripted, for tests)."""

from lambdamagic.transports.base import Invocation, InvocationKind, InvocationReply, Transport

__all__ = ["Invocation", "InvocationKind", "InvocationReply", "Transport"]
