"""The transport interface: `transport` (the protocol), `lambda_api` (Lambda's Invoke), `fake` (scripted, for tests)."""

from lambdamagic.transports.transport import InvocationKind, InvocationReply, InvokeCall, Transport

__all__ = ["InvocationKind", "InvocationReply", "InvokeCall", "Transport"]
