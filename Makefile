# Each of these works from a fresh clone: what is needed is set up once, and again when pyproject.toml changes.
#
#   make mnist [ARGS="--device 0 --epochs 5"]   train LeNet5 on MNIST
#   make test  [ARGS="-k matmul -x"]            what every change has to pass, in two processes
#   make test-deep [ARGS="--deep-part 3/24"]    the grids and long runs that it leaves out, or a part of them
#   make mutants [ARGS="-k hazards"]            whether tests fail where the code is wrong (tools/mutants.py)
#   make check                                  ruff, mypy, import-linter, and whether shipped kernels and README's tables are up to date
#   make docs                                   the documents' site, in build/site; warnings are errors
#   make kernels                                compile the kernels that the packages ship
#   make drivers [ARGS=--extra]                 Vulkan drivers that run on the CPU (see tools/drivers.sh)
#
# PYTHON=... chooses the Python that .venv is made from.

SETUP := pyproject.toml tools/setup.sh tools/requirements.py

.PHONY: mnist test test-deep mutants check docs kernels drivers clean

mnist: .venv/examples.stamp
	@.venv/bin/python examples/mnist.py $(ARGS)

test: .venv/dev.stamp
	@.venv/bin/python -m pytest -n 2 --dist worksteal $(ARGS)

test-deep: .venv/dev.stamp
	@.venv/bin/python -m pytest -n 2 --dist worksteal -m deep $(ARGS)

mutants: .venv/dev.stamp
	@.venv/bin/python tools/mutants.py $(ARGS)

check: .venv/dev.stamp
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/python -m krnlpy.cli compile krnlpy --check
	.venv/bin/python -m krnlpy.cli compile autograph --check
	.venv/bin/python -m benches table --check

# Its makers announce the end of mkdocs-material at each build, unless they are asked not to.
docs: .venv/dev.stamp
	@NO_MKDOCS_2_WARNING=1 .venv/bin/python -m mkdocs build

# What the packages ship of their kernels; after a change of a kernel or of the GLSL that is made of them.
kernels: .venv/dev.stamp
	.venv/bin/python -m krnlpy.cli compile krnlpy
	.venv/bin/python -m krnlpy.cli compile autograph

drivers:
	@tools/drivers.sh $(ARGS)

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

.venv/examples.stamp: $(SETUP)
	@PYTHON='$(PYTHON)' tools/setup.sh examples
	@touch $@

# What is enough for development is enough for the examples.
.venv/dev.stamp: $(SETUP)
	@PYTHON='$(PYTHON)' tools/setup.sh examples,test,dev,docs
	@touch $@ .venv/examples.stamp
