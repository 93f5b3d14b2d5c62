# Every target does its own set-up in .venv, once; it needs python3 (3.11 or newer) with pip, nothing else.
PYTHON ?= python3
TORCH := 2.13.0
# The one that was made for this torch.
TORCHVISION := 0.28.0
TRITON := 3.7.1
PIP := .venv/bin/pip --disable-pip-version-check
INSTALL := $(PIP) install -q -c constraints.txt

# A CUDA build of torch (several GB) is of use with an NVIDIA GPU only. On Linux the package index offers no other, so
# without a GPU the CPU build is asked for by name: where pip looks anyway, else at PyTorch's own index.
# CUDA=1 says that there is a GPU although none is seen here (when an image is built for another machine).
CPU_INDEX := https://download.pytorch.org/whl/cpu
CUDA ?= $(shell if [ -e /proc/driver/nvidia/version ] || nvidia-smi -L >/dev/null 2>&1; then echo 1; fi)
ifeq ($(shell uname -s)$(CUDA),Linux)
TORCH_CPU = $(PIP) install -q --no-deps 'torch==$(TORCH)+cpu' 2>/dev/null \
	|| $(PIP) install -q --no-deps --retries 1 --index-url $(CPU_INDEX) 'torch==$(TORCH)+cpu' \
	|| { echo 'error: no CPU build of torch $(TORCH) found; to take the CUDA build all the same: make CUDA=1' >&2; exit 1; }
else
TORCH_CPU = true
endif

.PHONY: demo test test-all test-release test-kernels bench check help-texts faithfulness experiments lock clean

demo: .venv/ready
	.venv/bin/alexnet demo

test: .venv/ready-dev
	.venv/bin/pytest -q

test-all: .venv/ready-dev .venv/ready-torchvision test-kernels
	.venv/bin/pytest -q -m 'not release'

# Ten times as many kills and flips as `make test-all` has.
test-release: .venv/ready-dev
	.venv/bin/pytest -q -m release

# The kernels for GPUs, run on the CPU by Triton's interpreter, and compiled for a GPU that need not be here.
test-kernels: .venv/ready-dev .venv/ready-triton
	TRITON_INTERPRET=1 PYTHONPATH=src .venv/triton/bin/python -m pytest -q $(KERNEL_TESTS)
	PYTHONPATH=src .venv/triton/bin/python -m pytest -q -m slow tests/machine/test_kernels.py

# BENCH is for cpu.py, as in `make bench BENCH=--quick`; PHOTOS is a folder of photographs, a folder a class.
bench: .venv/ready-fast
	.venv/bin/python benchmarks/cpu.py $(BENCH)
ifdef PHOTOS
	.venv/bin/python benchmarks/reading.py '$(PHOTOS)'
	.venv/bin/python benchmarks/preparation.py '$(PHOTOS)'
else
	@echo 'reading and preparation were not measured: give photographs, a folder a class, by make bench PHOTOS=FOLDER'
endif
	@if .venv/bin/python -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then \
		.venv/bin/python benchmarks/gpu.py; \
	else echo 'no GPU was measured: PyTorch finds no CUDA device'; fi

check: .venv/ready-dev
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports

# Write the help texts that tests/test_project.py compares; read the difference before committing it.
help-texts: .venv/ready-dev
	.venv/bin/python tests/test_project.py

# Write the tables of docs/faithfulness.md that tests/test_faithfulness.py compares with the tags in the code.
faithfulness: .venv/ready-dev
	.venv/bin/python tests/test_faithfulness.py

# Write the tables of both pages that tests/experiments/test_page.py compares with experiments/results/.
experiments: .venv/ready
	.venv/bin/python -m alexnet.experiments.page experiments/results experiments/README.md README.md

# One universal lock for every platform; pip reads it as constraints, so that it installs nothing by itself.
lock: .venv/ready
	$(PIP) install -q uv
	echo 'torch==$(TORCH)' > .venv/torch-pin.txt
	.venv/bin/uv pip compile -q --universal --python-version 3.11 --all-extras --upgrade --no-annotate \
		--constraint .venv/torch-pin.txt --custom-compile-command 'make lock' --output-file constraints.txt pyproject.toml

clean:
	rm -rf .venv .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis

.venv/ready: pyproject.toml constraints.txt
	@echo 'Setting up .venv (once, about a minute)'
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "error: alexnet needs Python 3.11 or newer")'
	@$(PYTHON) -m venv .venv
	@$(TORCH_CPU)
	@$(INSTALL) -e '.[plot,web]'
	@touch $@

.venv/ready-dev: .venv/ready
	@echo 'Adding the development tools to .venv (once)'
	@$(INSTALL) -e '.[dev]'
	@touch $@

.venv/ready-fast: .venv/ready
	@echo 'Adding simplejpeg to .venv (once)'
	@$(INSTALL) -e '.[fast]'
	@touch $@

# torchvision and Triton are no dependencies (a CUDA build of torch brings Triton along), but tests use them. Each in a
# venv of its own, which borrows all else from .venv, can neither bring another torch nor be imported by mistake.
SITE := -c 'import sysconfig; print(sysconfig.get_path("purelib"))'
KERNEL_TESTS := tests/machine/test_kernels.py tests/nn/test_norm_kernels.py tests/nn/test_passage.py tests/data/test_view_kernels.py
.venv/ready-torchvision: WANTED := torchvision==$(TORCHVISION)
.venv/ready-triton: WANTED := triton==$(TRITON)
.venv/ready-torchvision .venv/ready-triton: .venv/ready-%: .venv/ready
	@echo 'Adding $* in .venv/$* (once)'
	@.venv/bin/python -m venv --clear --without-pip .venv/$*
	@.venv/bin/python $(SITE) > "$$(.venv/$*/bin/python $(SITE))/borrowed.pth"
	@$(PIP) --python .venv/$*/bin/python install -q --no-deps '$(WANTED)'
	@touch $@
