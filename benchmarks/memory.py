"""What a warm environment needs for its twentieth job, over its first and its tenth; see `worker/memory.py`.

Some growth over the first is the libraries' own: a process without lambdamagic that draws such figures needs 265, 268,
and from then on 269 MB. A leak would show in the second ratio.
"""

from __future__ import annotations

import textwrap

from benchmarks.measure import Comparison, show
from benchmarks.notebook import Notebook, notebook
from lambdamagic.protocol.report import parse_report

_JOBS = 20
_ARRAY_BYTES = 104_000_000

#: A cell each; the sizes of function keep their environments apart.
_KINDS = {
    "array * 2": "%%lambda {options}\nresult = array * 2",
    "a display": "%%lambda {options}\nlarge = array * 2\ndisplay(large)\nlarge[:3]",
    "an error": """
        %%lambda {options}
        def fail(large):
            raise KeyError("no")
        fail(array * 2)
    """,
    "a thread that continues": """
        %%lambda {options}
        import threading
        def wait(large):
            while True:
                threading.Event().wait(0.001)
        threading.Thread(target=wait, args=(array * 2,), daemon=True).start()
    """,
    "objects in circles": """
        %%lambda {options}
        class Node: pass
        node = Node()
        node.me, node.large = node, array * 2
        del node
    """,
    "a map with errors": "%lambda_map {options} --chunksize 8 --on-error return work range(8)",
    "a figure": """
        %%lambda {options}
        import matplotlib.pyplot as plt
        figure, axes = plt.subplots()
        axes.plot((array * 2)[::1000])
        plt.show()
    """,
}
_SETUP = """
def work(number):
    import numpy as np
    large = np.full(104_000_000 // 8, number)
    raise KeyError(number)
"""


def peaks(book: Notebook, cell: str, memory_mb: int) -> list[int]:
    """Return the peak memory after each of the jobs, in MB, by Lambda's REPORT lines."""
    import boto3
    import numpy as np

    text = textwrap.dedent(cell).strip().format(options=f"--memory {memory_mb} --timeout 120")
    for number in range(_JOBS):
        book.shell.user_ns["array"] = np.full(_ARRAY_BYTES // 8, float(number))
        try:
            book.run(text)
        except KeyError:
            pass  # the cell's own, as it should be
    credentials = book.lambda_client._request_signer._credentials
    logs = boto3.client(
        "logs",
        endpoint_url=book.lambda_client.meta.endpoint_url,
        region_name=book.lambda_client.meta.region_name,
        aws_access_key_id=credentials.access_key,
        aws_secret_access_key=credentials.secret_key,
    )
    groups = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
    (group,) = [name for name in groups if name.endswith(f"-{memory_mb}mb-120s")]
    events = logs.filter_log_events(logGroupName=group, filterPattern="REPORT")["events"]
    reports = [parse_report(event["message"]) for event in events]
    return [report.peak_memory_mb for report in reports if report is not None]


def main() -> list[Comparison]:
    """Run and print."""
    lines = []
    with notebook() as book:
        book.shell.run_cell(_SETUP)
        for number, (what, cell) in enumerate(_KINDS.items()):
            found = peaks(book, cell, 1024 + number)
            middle, what = found[len(found) // 2 - 1], f"{what}: peak of job {len(found)}"
            lines.append(Comparison(what, "of the first", found[-1], found[0], found[-1] / found[0], 1.05, "MB"))
            lines.append(Comparison(what, "of half as many", found[-1], middle, found[-1] / middle, 1.01, "MB"))
    show(f"Peak memory of a warm environment, {_JOBS} jobs with 104 MB each", lines)
    return lines


if __name__ == "__main__":
    main()
