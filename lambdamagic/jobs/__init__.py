"""The engine: scheduling, retries, chunks. It knows neither AWS nor views.

Decisions
---------

A chunk whose environment dies is halved
    In the end the task that kills stands alone. That costs its siblings at most seven more rounds in a chunk of a
    hundred, and a chance death costs two halves. Tasks whose code raised run again alone. Throttled, died and lost are
    counted apart, since only a death says something about the task.

Concurrency is one pure policy
    Invocations start within Lambda's ramp, since what exceeds it is refused and the limit has to be learnt again
    (`concurrency.py`): 20,000 tasks of 5 s at 5,000 at once took 2.6 times the ideal without the ramp and 1.02 times
    with it, in simulation. A refusal says how many Lambda holds: those that are still under way. Refused work rests as
    long as `Retry-After` says, and goes first afterwards.

Policies are tried in virtual time
    `benchmarks/simulate.py` runs the engine as it is against a simulated Lambda, on an event loop whose clock jumps.

Backups are sent in addition to late invocations
    Only when asked for, since a task may then run twice (`backups.py`). The loser is stopped by the job's cancel object
    when the job ends; until then its cost is counted and its answer is not used.

`retry_on` compares names of types
    The function sends the names of a failed task's type and of its parents. The engine has no namespace in which it
    could unpickle the exception, and a type of the notebook has the same name on both sides.

One thread and one connection for each synchronous invocation
    1,000 invocations, held for 6 s by a stub in another process, were all under way after 1.2 s for 0.7 s of processor
    time and 32 MB; boto3 in a thread pool took 3.1 s, 2.5 s and 56 MB, asyncio 1.1 s, 0.5 s and 7 MB
    (`benchmarks/concurrency.py`). asyncio wins too little: proxies, TLS, retries and S3's transfers would exist twice.

Events are followed by heartbeats
    In the modes `event` and `trigger` the function writes one object when it begins, again while it runs, and again
    when its answer is stored. One LIST then shows all invocations by the objects' sizes and times (`delivery.py`). A
    sign that does not change means a dead environment, by the client's clock alone. The first sign is a conditional
    write and so a claim: an event may be sent again under its name and still runs once. These modes need a bucket and
    requests to it, so `auto` is synchronous.

An attempt is expected before it is sent
    An event may be done before the client learns that it was accepted, and an unexpected heartbeat is deleted.

A batch changes nothing about its events
    An invoker hands many events to Lambda in one request (`handover.py`). What all events have alike is sent once, and
    the rest is compressed: 500 bytes an event instead of 30,000. The invoker tries nothing again and answers each
    event's fate, which becomes the error that the transport would have raised. If the batch's own fate is unknown, each
    of its events is sent again under its name. A throttled invoker is bypassed.

What the encoder meets is planned too
    The analysis looks into the user's code and common containers; the pickler sees everything. Functions and modules
    that it met and the plan lacks are planned then (`extending.py`). Items get what they need as an extension next to
    them, which the function reads once.

Kept outcomes are the frames of the answers
    Many are in one pack with a signed index (`memo.py`). A map reads one LIST, the indexes, and the packs that hold
    something it needs. Tasks keep their numbers.

A job's history is one line, unless it has a key
    `diary.py` has a file a day for all jobs that ended. `history.py` keeps a file for each job that another process can
    resume; many short jobs would push those out.
"""
