"""A real run in a real TensorBoard: what its server answers, and what a browser draws."""

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode
from urllib.request import Request, urlopen

import imageio.v3 as imageio
import numpy as np
import pytest

import train
from envs import Projection
from experiment import training_state
from monitoring import film
from monitoring.layout import LAYOUT
from tools.screenshots import PAGES, browser, find_browser, open_page, server

FLAGS = [
    "--num-envs", "4", "--ppo.num-steps", "16", "--ppo.num-minibatches", "2",
    "--model.autoencoder.encoder.channels", "4", "4", "--image-interval", "4000",
    "--validation-share", "0.5",  # so that its curves are there, too
    "--film-interval", "4000", "--total-steps", "8000", "--evaluation-games", "1",
]  # fmt: skip
"""Random play for so long shows knives and ends games."""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """TensorBoard over two runs that differ in one weight."""
    logdir = tmp_path_factory.mktemp("runs")
    projection = Projection(((66, 72, 200), (180, 122, 48)), ((74, 74, 74),))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_state, "calibrate", lambda *_: projection)
        patch.setattr(film, "LENGTH", 5)
        patch.setattr(film, "PATIENCE", 150)  # the first steps of a game show an empty floor
        assert train.main(["--run-dir", str(logdir / "first"), *FLAGS]) == 0
        other = ["--weights.artifact", "5", "--total-steps", "64", "--evaluation-games", "0"]
        assert train.main(["--run-dir", str(logdir / "second"), *FLAGS, *other]) == 0
    with server(logdir) as found:
        yield found


RUN = "first/tensorboard"


def get(address: str, plugin: str, path: str, **query: str) -> bytes:
    with urlopen(f"{address}/data/plugin/{plugin}/{path}?{urlencode(query)}") as answer:
        return answer.read()


def ask(address: str, plugin: str, path: str, **query: str) -> Any:
    return json.loads(get(address, plugin, path, **query))


def test_every_scalar_has_points(address: str):
    tags = ask(address, "scalars", "tags")[RUN]
    assert {"Final/score", "episode/return", "artifacts/recall", "latent/dead_units"} <= set(tags)
    for tag in tags:
        points = ask(address, "scalars", "scalars", run=RUN, tag=tag)
        assert points
        assert all(step > 0 for _, step, _ in points)


def test_every_chart_of_the_layout_finds_its_curves(address: str):
    layout = ask(address, "custom_scalars", "layout")
    assert [category["title"] for category in layout["category"]] == list(LAYOUT)
    tags = set(ask(address, "scalars", "tags")[RUN])
    for charts in LAYOUT.values():
        for patterns in charts.values():
            for pattern in patterns:
                assert any(re.match(pattern, tag) for tag in tags), pattern
                found = ask(address, "custom_scalars", "scalars", run=RUN, tag=pattern)
                assert found["regex_valid"]
                assert found["tag_to_events"], pattern


def test_every_image_is_a_picture_and_the_film_moves(address: str):
    tags = ask(address, "images", "tags")[RUN]
    assert set(tags) == {
        "game/film", "reconstruction/with_artifact", "reconstruction/without_artifact",
    }  # fmt: skip
    for tag in tags:
        entries = ask(address, "images", "images", run=RUN, tag=tag, sample="0")
        assert entries
        for entry in entries:
            content = get(address, "images", "individualImage", **dict(parse_qsl(entry["query"])))
            assert imageio.imread(content, index=0).std() > 10
        if tag == "game/film":
            assert content.startswith(b"GIF89a")
            pictures = imageio.imread(content, index=None)
            assert 2 <= len(pictures) <= 5  # equal ones are one that lasts longer
            assert (np.diff(pictures.astype(int), axis=0) != 0).any(axis=(1, 2, 3)).all()


def test_every_histogram_and_the_text_are_served(address: str):
    tags = ask(address, "histograms", "tags")[RUN]
    assert len(tags) == 4
    for tag in tags:
        assert ask(address, "histograms", "histograms", run=RUN, tag=tag)
    assert ask(address, "text", "tags")[RUN] == ["run/text_summary"]
    (text,) = ask(address, "text", "text", run=RUN, tag="run/text_summary")
    assert "train.py --run-dir" in text["text"]
    assert "<td>weights.artifact</td>" in text["text"]


def test_runs_are_compared_by_what_differs_and_by_their_final_metrics(address: str):
    def post(path: str, body: Any) -> Any:
        url, headers = f"{address}/data/plugin/hparams/{path}", {"Content-Type": "application/json"}
        with urlopen(Request(url, json.dumps(body).encode(), headers)) as answer:
            return json.loads(answer.read())

    experiment = post("experiment", {"experimentName": ""})
    differing = {info["name"] for info in experiment["hparamInfos"] if info["differs"]}
    assert differing == {"weights.artifact"}  # not run_dir, total_steps or evaluation_games
    metrics = [info["name"]["tag"] for info in experiment["metricInfos"]]
    assert metrics[:5] == [
        "Final/artifact_ghost_rate", "Final/artifact_recall", "Final/minutes", "Final/score",
        "Final/score_median",
    ]  # fmt: skip
    body = {"experimentName": "", "allowedStatuses": ["STATUS_SUCCESS"], "colParams": []}
    body |= {"startIndex": 0, "sliceSize": 10, "aggregationType": "AGGREGATION_AVG"}
    groups = post("session_groups", body)["sessionGroups"]
    assert {group["hparams"]["weights.artifact"] for group in groups} == {20.0, 5.0}


def test_the_projector_has_points_labels_and_thumbnails(address: str):
    assert RUN in ask(address, "projector", "runs")
    (entry,) = ask(address, "projector", "info", run=RUN)["embeddings"]
    name = entry["tensorName"]
    tensor = np.frombuffer(get(address, "projector", "tensor", run=RUN, name=name), np.float32)
    labels = get(address, "projector", "metadata", run=RUN, name=name).decode().splitlines()
    assert tensor.size % 79 == 0
    assert len(labels) == tensor.size // 79 + 1
    sheet = imageio.imread(get(address, "projector", "sprite_image", run=RUN, name=name))
    assert sheet.shape[1] % entry["sprite"]["singleImageDim"][0] == 0


@pytest.mark.browser
@pytest.mark.skipif(not find_browser(), reason="no Chromium on this machine")
def test_a_browser_draws_every_page(address: str):
    with browser((1000, 900)) as page:
        for name in PAGES:
            open_page(page, address, name)
            picture = imageio.imread(page.screenshot())
            assert picture.shape[:2] == (900, 1000)
            body = picture[200:, 350:, :3]  # right of the menus
            colours = body.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)
            assert len(np.unique(colours)) > 20, name
            assert np.median(body) > 200, name  # not dimmed by a message that it is loading


@pytest.mark.long
@pytest.mark.browser
@pytest.mark.skipif(not find_browser(), reason="no Chromium on this machine")
def test_a_projector_that_loads_slowly_is_waited_for(address: str):
    # Until it has loaded, a message lies over the page, which is dimmed.
    with browser((1000, 900)) as page:
        slow = {"latency": 2000, "downloadThroughput": -1, "uploadThroughput": -1}
        session = page.context.new_cdp_session(page)
        session.send("Network.emulateNetworkConditions", {"offline": False, **slow})
        open_page(page, address, "projector")
        assert np.median(imageio.imread(page.screenshot())[200:, 350:, :3]) > 200
