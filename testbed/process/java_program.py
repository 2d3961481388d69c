"""Java programs of the tests: Maven projects, run by a small JVM that starts quickly."""

from pathlib import Path

from testbed.process import built_program
from testbed.process.built_program import Progress, Recipe, Tool, progress_on_stderr

_JAVA = Tool("java", "a JDK 17 or newer (openjdk-17-jdk-headless)", ("-version",))
_JAVAC = Tool("javac", "a JDK 17 or newer (openjdk-17-jdk-headless)")
_MAVEN = Tool("mvn", "Maven 3.8 or newer (maven)")
TOOLS = (_JAVA, _JAVAC, _MAVEN)
NETWORK = ("Could not transfer", "Unknown host", "Connect timed out", "Connection refused", "offline mode")
HINT = "Maven artifacts could not be fetched: check this machine's network and Maven's settings.xml"
_GOALS = ("compiler:compile", "dependency:copy-dependencies")
_FLAGS = ("-Xmx128m", "-Xss512k", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
"""For one small process of many: most of its time is its start, where the optimising compiler never pays."""


def build(project: Path, write_line: Progress = progress_on_stderr) -> Path:
    """The folder with the classes of a Maven project in `classes` and its dependencies in `lib`. Raises BuildError."""
    maven = _MAVEN.path(project.name)
    recipe = Recipe(
        source=project,
        tools=TOOLS,
        patterns=("pom.xml", "src/**/*.java"),
        options=_GOALS,
        command=lambda program: [maven, "--batch-mode", f"-Dout={program}", *_GOALS],
        network=NETWORK,
        hint=HINT,
    )
    return built_program.build(recipe, write_line)


def command(program: Path, main_class: str) -> list[str]:
    """How a built program is started."""
    return [_JAVA.path(main_class), *_FLAGS, "-cp", f"{program / 'classes'}:{program / 'lib'}/*", main_class]
