"""`lambdamagic clean`: delete the objects of old jobs in a bucket."""

from __future__ import annotations

import click

from lambdamagic.cli.app import App, examples, with_common_options
from lambdamagic.cli.exits import DECLINED


@click.command(epilog=examples("lambdamagic clean --older-than 7d"))
@click.option("--older-than", "age", metavar="AGE", default="30d", help="Such as 12h, 7d or 4w (30d).")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_common_options
def clean(app: App, age: str, yes: bool) -> None:
    """Delete what jobs have left in the bucket: results, reusable values, cached results.

    Buckets that `lambdamagic deploy` creates do this by themselves. Not for jobs that still run: choose an age above
    theirs.
    """
    from lambdamagic.api.leftovers import find_leftovers

    found = find_leftovers(age, **app.options)
    what = f"{len(found.keys):,} objects of jobs ({found.size_bytes / 1e6:.1f} MB) older than {age} in {found.bucket}"
    if found.keys and not yes and not click.confirm(f"Delete {what}?", err=True):
        raise click.exceptions.Exit(DECLINED)
    found.delete()
    if app.out.as_json:
        app.out.document({"bucket": found.bucket, "deleted": len(found.keys), "size_bytes": found.size_bytes})
    else:
        app.out.text(f"deleted {what}" if found.keys else f"no object of a job is older than {age} in {found.bucket}")
