"""Graphs that run in Lambda without their client: schedules, and what walks do where edges meet.

A walk is one invocation. It runs a node, continues along one out-edge, and hands the other nodes that became ready to
walks that it invokes. Where edges meet, walks that never call each other agree through the bucket alone: each writes
its own edges and lists those that exist, and whichever sees all of them claims the join by a conditional write. S3 is
strongly consistent ("Amazon S3 data consistency model", S3 user guide), so the last to arrive sees all of them, and
the condition makes it one.

All of it is pure: `walker.Walker` makes its requests through the protocols in `walker`, so that tests explore every
order in which they can meet.

Decisions
---------

A join that is one walk's alone needs no claim
    Who owns all leaves below a join will be there alone. `Walker` knows what it will run for certain, and writes
    nothing for what stays with it: a subtree costs no request to S3.

Edges of one walk to one join are one object
    Its name says which they are, so that a listing is enough to know whether all are there.

A second attempt always claims
    The first may have handed nodes over, which the second does not know.

Invocations are paid from a budget that walks carry and divide
    What is invoked in all cannot exceed what the first events held, whatever goes wrong. A walk without budget, or at
    the depth where Lambda's recursion detection would stop the chain, continues alone.
"""
