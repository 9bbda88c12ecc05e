"""Graphs of tasks: which task needs whose value, run on Lambda.

The interface that all of it shares
-----------------------------------

A `graph.Node` has a key, the keys whose values it needs, and `run`: a picklable callable that takes one mapping, from
each of those keys to its value, and returns the node's own value. A mapping with more keys is fine. `run` is all that a
function needs; this package's modules `graph` and `fusing` import the standard library only, so they are sent for free.

A `graph.Graph` holds nodes in an order in which each comes after what it needs. Next to them it holds constants: values
that are known here. A node may need a constant; whoever runs it provides the value, small ones with the node and large
ones by `lambdamagic.put`. What was asked for (`wanted`) may be nodes, constants, or other names of these (`aliases`).
Nodes need neither aliases nor what is not there: `Graph.of` resolves the first and refuses the second.

`fusing.fused` joins linear chains to one node each, so that what passes along a chain never leaves its environment. The
node that takes a chain's place has the last node's key, and `members` lists the keys of all of them, for counting.

`dask_graph.graph_from_dask` makes a `Graph` from what Dask's collections hand to a scheduler.

A failure carries the key of its node: the caller of nodes passes the exception to `fusing.named`.

Decisions
---------

A node's `run` takes a mapping, not arguments
    It is the calling convention of Dask's own tasks, which therefore are `run` as they are: nothing is wrapped, and
    their pickles stay as small as Dask has made them.
Constants are no tasks
    A constant that many nodes need would be written into each of them. Next to the graph it is put once.
"""
