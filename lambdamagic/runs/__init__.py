"""Runs: the common path of cells, maps, executors, pools and attached jobs.

Decisions
---------

A job that may outlive its client is stored before it begins
    Manifest, program and arguments go to the bucket, signed (`durable.py`). The job's key stays in a file of this user,
    with the name of each attempt before it is sent. A name says which tasks the attempt carries, so one LIST of the
    answers shows what is done. `attach` waits for what was sent and sends the rest by pointing at the stored arguments;
    nothing is unpickled in between.
"""
