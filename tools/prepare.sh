#!/bin/sh
# Make a virtual environment and install exactly what a lock file names, checked by hash. Asks nothing.
# Usage: tools/prepare.sh requirements/run.txt [.venv]
set -eu

say() { printf '%s\n' "$*" >&2; }

venv=${2:-.venv}
python=${PYTHON:-python3}
command -v "$python" >/dev/null || { say "Python 3.11 or newer is needed: install it, then run this again. 需要 Python 3.11 或更新版本。"; exit 1; }
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    say "Python 3.11 or newer is needed; $("$python" --version) was found. Name another: make PYTHON=python3.12 …  需要 Python 3.11 或更新版本。"
    exit 1
}

# Install system packages where we may, otherwise say that they are missing.
provide() {
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "Installing $* …"
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$@" >/dev/null
    else
        say "Missing: $*. Install this, then run this again. 缺少软件包 $*，请先安装。"
        exit 1
    fi
}

# Debian and Ubuntu ship venv apart from Python.
"$python" -c 'import ensurepip, venv' 2>/dev/null || provide python3-venv
# The tests type the README's examples.
[ "$1" != requirements/test.txt ] || command -v curl >/dev/null || provide curl
# Some of them build a stand-in for the library of NVIDIA's driver; where nothing can, these say that they are skipped.
[ "$1" != requirements/test.txt ] || command -v cc >/dev/null || (provide gcc libc6-dev) || say "Without a C compiler some tests are skipped. 没有 C 编译器，将跳过部分测试。"
# The bundled model is trained on its voices.
[ "$1" != requirements/model.txt ] || command -v espeak-ng >/dev/null || provide espeak-ng

[ -x "$venv/bin/python" ] || { say "Making $venv …"; "$python" -m venv "$venv"; }
say "Installing $1 into $venv (the first time takes about a minute) …"
"$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-input --require-hashes -r "$1" || {
    say "The install failed; pip says why above. 安装失败，原因见上面 pip 的输出。"
    exit 1
}
