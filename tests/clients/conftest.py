"""One round trip of each family of clients runs on PostgreSQL and a bucket too: `make apart`.

They are the same tests: the environment says which engines the servers of a run have (tests/engines.py).
"""

from __future__ import annotations

import pytest

APART = {
    "test_npm_clients.py::test_publish_install_and_install_again_from_the_lock_file[npm11]",
    "test_npm_clients.py::test_install_through_an_external_connection[npm8]",
    "test_pypi_clients.py::test_a_client_publishes_wheel_and_sdist[twine]",
    "test_pypi_clients.py::test_a_client_installs_through_a_connection_and_again_without_it[pip]",
    "test_cargo_clients.py::test_public_crates_come_through_source_replacement_and_stay",
    "test_maven_clients.py::test_newer_mavens_deploy_in_parallel_and_resolve_snapshots[3.9--Dmaven.resolver.transport=wagon]",
    "test_nuget_clients.py::test_nuget_pushes_searches_installs_and_deletes",
    "test_ruby_clients.py::test_gem_installs_lists_searches_and_fetches[3.3]",
    "test_aws_login.py::test_a_generic_asset_goes_in_and_out_through_the_cli",
}
"""As pytest names them, below this folder."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.nodeid.removeprefix("tests/clients/").partition("@")[0] in APART:
            item.add_marker(pytest.mark.apart)
