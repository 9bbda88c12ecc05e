"""Tasks read CSV, parquet and zarr with the user's rights, where the function's role has none."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from lambdamagic.aws.access import AwsAccess
from lambdamagic.aws.url_signer import UrlSigner
from lambdamagic.dask import DaskScheduler, presigned
from lambdamagic.deploy.functions import ROLE_NAME
from lambdamagic.errors import ConfigError, TargetError
from lambdamagic.graphs.presigned_files import PresignedFiles, SignedFile
from lambdamagic.storage.presigned import close_default_transfer

BUCKET = "data-of-a-user"
TABLE = pd.DataFrame({"number": range(1_000), "text": [f"row {number}" for number in range(1_000)]})
GRID = np.arange(600.0).reshape(30, 20)


@pytest.fixture(scope="module")
def scheduler() -> DaskScheduler:
    return DaskScheduler(max_workers=2, target="local")


def _access(scheduler: DaskScheduler) -> AwsAccess:
    return scheduler._launcher.target().access  # type: ignore[attr-defined,no-any-return]


@pytest.fixture(scope="module")
def data(scheduler: DaskScheduler, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A bucket with a user's data that the function's role may not use; a client of S3's that may."""
    folder = tmp_path_factory.mktemp("data")
    TABLE[:600].to_csv(folder / "1.csv", index=False)
    TABLE[600:].to_csv(folder / "2.csv", index=False)
    TABLE.to_parquet(folder / "table.parquet", row_group_size=300)
    xr.Dataset({"grid": (("y", "x"), GRID)}).chunk({"y": 10}).to_zarr(folder / "grid.zarr", consolidated=False)
    access = _access(scheduler)
    everything = [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]
    denied = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": everything}]}
    dask.delayed(int)().compute(scheduler=scheduler)  # the role is there now
    with closing(access.client("s3")) as s3, closing(access.client("iam")) as iam:
        s3.create_bucket(Bucket=BUCKET)
        for path in folder.rglob("*"):
            if path.is_file():
                s3.put_object(Bucket=BUCKET, Key=f"all/{path.relative_to(folder)}", Body=path.read_bytes())
        s3.put_object(Bucket=BUCKET, Key="all/folder/", Body=b"")
        s3.put_object(Bucket=BUCKET, Key="all/none.txt", Body=b"")
        iam.put_role_policy(RoleName=ROLE_NAME, PolicyName="no-data", PolicyDocument=json.dumps(denied))
        yield s3
        iam.delete_role_policy(RoleName=ROLE_NAME, PolicyName="no-data")
    close_default_transfer()


@pytest.fixture(scope="module")
def files(data: Any) -> PresignedFiles:
    return presigned(f"s3://{BUCKET}/all", target="local")


def _read_by_role(key: str) -> bytes:
    import boto3

    return boto3.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()


def test_the_role_has_no_right_to_the_bucket(scheduler: DaskScheduler, data: Any) -> None:
    with pytest.raises(Exception, match="AccessDenied"):
        dask.delayed(_read_by_role)("all/1.csv").compute(scheduler=scheduler)


def test_csv(scheduler: DaskScheduler, files: PresignedFiles) -> None:
    path = f"presigned://{BUCKET}/all/*.csv"
    found = dd.read_csv(path, storage_options=files.storage_options, blocksize=2_000)
    assert found.npartitions > 2
    pd.testing.assert_frame_equal(found.compute(scheduler=scheduler).reset_index(drop=True), TABLE, check_dtype=False)


def test_parquet(scheduler: DaskScheduler, files: PresignedFiles) -> None:
    found = dd.read_parquet(f"{BUCKET}/all/table.parquet", filesystem=files, split_row_groups=True)
    assert found.number.sum().compute(scheduler=scheduler) == TABLE.number.sum()


def test_zarr(scheduler: DaskScheduler, files: PresignedFiles) -> None:
    path = f"presigned://{BUCKET}/all/grid.zarr"
    options = files.storage_options
    with dask.config.set(scheduler=scheduler):
        by_xarray = xr.open_zarr(path, storage_options=options, chunks={}, consolidated=False).grid.mean("x").values
        by_dask = da.from_zarr(path, component="grid", storage_options=options).sum().compute()
    np.testing.assert_array_equal(by_xarray, GRID.mean(axis=1))
    assert by_dask == GRID.sum()


def test_files_are_listed_without_a_request(files: PresignedFiles) -> None:
    here = f"{BUCKET}/all"
    assert files.glob(f"{here}/*.csv") == [f"{here}/1.csv", f"{here}/2.csv"]
    assert files.ls(here, detail=False) == [
        f"{here}/{name}" for name in ("1.csv", "2.csv", "grid.zarr", "none.txt", "table.parquet")
    ]
    assert files.ls("") == [{"name": BUCKET, "size": 0, "type": "directory"}]
    assert files.isdir(f"{here}/grid.zarr") and not files.exists(f"{here}/3.csv")


def test_files_are_read_in_ranges_and_not_written(data: Any, files: PresignedFiles) -> None:
    path = f"{BUCKET}/all/1.csv"
    whole = data.get_object(Bucket=BUCKET, Key="all/1.csv")["Body"].read()
    assert files.cat_file(path, 5, 9) == whole[5:9] and files.cat_file(path, -4) == whole[-4:]
    assert files.cat_file(f"{BUCKET}/all/none.txt") == b""
    with files.open(path) as file:
        file.seek(-10, 2)
        assert file.read() == whole[-10:]
    with pytest.raises(PermissionError, match="read-only"):
        files.open(path, "wb")


def test_one_file(data: Any) -> None:
    found = presigned(f"s3://{BUCKET}/all/1.csv", target="local")
    assert found.find("") == [f"{BUCKET}/all/1.csv"]
    assert pickle.loads(pickle.dumps(found)).size(f"{BUCKET}/all/1.csv") == found.size(f"{BUCKET}/all/1.csv")


@pytest.mark.parametrize(
    ("url", "options", "error", "match"),
    [
        (f"s3://{BUCKET}/al", {}, FileNotFoundError, "no object at"),
        ("s3://no-such-bucket-of-a-user/x", {}, TargetError, "no-such-bucket"),
        ("https://example.com/x", {}, ConfigError, "not an S3 URL"),
        (f"s3://{BUCKET}/all", {"expires_s": 604_801}, ConfigError, "604800 seconds"),
    ],
)
def test_mistakes_are_reported_before_a_task_is_sent(
    data: Any, url: str, options: dict[str, int], error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        presigned(url, target="local", **options)


def test_an_expired_file_says_so_and_names_what_to_do(scheduler: DaskScheduler, data: Any) -> None:
    access = _access(scheduler)
    signer = UrlSigner(
        base_url=f"{access.endpoint_url}/{BUCKET}", region=access.region, credentials=access.credentials, now=lambda: 0
    )
    path = f"{BUCKET}/all/1.csv"
    table = PresignedFiles.packed([SignedFile(path, 10, signer.sign("GET", "all/1.csv", 1))])
    old = PresignedFiles(table=table)
    with pytest.raises(TargetError, match=r"all/1\.csv has expired[\s\S]*lambdamagic\.dask\.presigned"):
        dask.delayed(old.cat_file)(path).compute(scheduler=scheduler)
