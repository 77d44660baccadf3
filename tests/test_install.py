"""An installed copy beside somebody else's project: it brings packages and no command."""

import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = sorted({name.partition(".")[0] for name in PROJECT["tool"]["setuptools"]["packages"]})
COMMANDS = ("train", "evaluate", "export")
USE = """
import importlib.metadata, sys
import config, evaluate, export, train
assert {module.OWNER for module in (config, evaluate, export, train)} == {"me"}
top = {file.parts[0] for file in importlib.metadata.files("knifesight")}
print(*sorted(name for name in top if not name.endswith(".dist-info")))

import gymnasium, torch
from agent.actor_critic import ActorCritic, ActorCriticConfig
from encoders import ArtifactDetectorConfig, ArtifactWeightsConfig, artifact_weights, make_finder
from envs import KUNG_FU_MASTER as GAME, Projection
import evaluation.evaluate_agent, experiment.trained_agent, interop.policy, monitoring.monitor
game = gymnasium.make(f"envs:{GAME.env_id}", projection=Projection(((66, 72, 200),), ()))
obs, _ = game.reset(seed=0)
regions = torch.from_numpy(make_finder(ArtifactDetectorConfig())(obs[None]))
assert artifact_weights(regions[None], ArtifactWeightsConfig()).sum() > 0.99
network = ActorCritic(GAME.obs_shape, GAME.num_actions, ActorCriticConfig())
assert network(torch.from_numpy(obs[None])).latent.shape == (1, 79)
assert interop.model_card.TEMPLATE.exists()
assert "knifesight" not in sys.modules
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a fresh environment with the package as pip installs it, and what it depends on."""
    home = tmp_path_factory.mktemp("fresh")
    source = home / "source"
    source.mkdir()
    for name in (*PACKAGES, "pyproject.toml", "README.md", "LICENSE"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    for command in COMMANDS:
        shutil.copy(ROOT / f"{command}.py", source)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    offline = ["--quiet", "--no-deps", "--no-index"]
    build = [*pip, "wheel", *offline, "--no-build-isolation", "--wheel-dir", str(home), str(source)]
    subprocess.run(build, check=True)
    (wheel,) = home.glob("*.whl")
    venv.create(home / "env", symlinks=True)
    found = home / "env" / "bin" / "python"
    subprocess.run([*pip, "--python", str(found), "install", *offline, str(wheel)], check=True)
    (packages,) = (home / "env" / "lib").glob("python*/site-packages")
    # Its dependencies are those of this environment; the package itself is not taken from there.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return found


def test_a_project_keeps_its_own_modules_and_uses_the_packages(python: Path, tmp_path: Path):
    for name in ("config", *COMMANDS):
        (tmp_path / f"{name}.py").write_text('OWNER = "me"\n')
    (tmp_path / "use.py").write_text(USE)
    done = subprocess.run([python, "use.py"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == PACKAGES


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_are_not_installed(python: Path, tmp_path: Path, name: str):
    code = f"import importlib.util as i; raise SystemExit(i.find_spec({name!r}) is not None)"
    assert subprocess.run([python, "-c", code], cwd=tmp_path).returncode == 0
