"""`steerway completion`: the script by which a shell completes commands and options."""

import click
from click.shell_completion import get_completion_class

from steerway.cli import program, terminal

_KUBECTL = f"""\
#!/bin/sh
# kubectl calls it with the words behind `kubectl {program.NAME}`. The last line is the directive of its protocol
# (spf13/cobra): 0 completes files, 4 does not.
words=$(COMP_WORDS="{program.NAME} $*" COMP_CWORD=$# {program.COMPLETE_VARIABLE}=bash_complete {program.PLUGIN})
case $words in
file* | dir*) echo :0 ;;
*) echo "$words" | cut -d, -f2- && echo :4 ;;
esac
"""


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish", "kubectl"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell.

    \b
    bash:     source <(steerway completion bash), in ~/.bashrc
    zsh:      source <(steerway completion zsh), in ~/.zshrc behind compinit
    fish:     steerway completion fish > ~/.config/fish/completions/steerway.fish
    kubectl:  steerway completion kubectl > kubectl_complete-steerway, as an executable file in PATH
    """
    if shell == "kubectl":
        terminal.write(_KUBECTL.rstrip("\n"))
        return
    script = get_completion_class(shell)
    assert script is not None
    root = click.get_current_context().find_root().command
    terminal.write(script(root, {}, program.NAME, program.COMPLETE_VARIABLE).source().strip("\n"))
