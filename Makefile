# Everything that a contributor needs. `make demo` and `make test` do all the set-up themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SOURCE := $(VENV)/llama-cpp-python
CLIENTS := tests/clients
NODE := $(CLIENTS)/node_modules/.ready
PLUGIN := obsidian-plugin
STARTERS := smollm2-135m-instruct multilingual-e5-small all-minilm-l6-v2 gemma-3-270m

.PHONY: help setup models demo test plugin wheel clients conformance fuzz load soak lint serve clean

help: ## what there is
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 13

setup: $(READY) ## install into .venv (llama.cpp is compiled once, about five minutes)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

models: $(READY) ## fetch the starter models from the package index
	@$(BIN)/vaultbridge models pull $(STARTERS)

demo: $(READY) ## ask the sample vault a question, from nothing to an answer with its sources
	@$(BIN)/vaultbridge models pull smollm2-135m-instruct multilingual-e5-small || \
	 $(BIN)/vaultbridge models pull smollm2-135m-instruct all-minilm-l6-v2
	@$(BIN)/python -m vaultbridge.lab.demo

# Without npm the tests of the Node clients are skipped.
$(NODE): $(CLIENTS)/package.json
	@if command -v npm > /dev/null; then npm install --prefix $(CLIENTS) --loglevel=error && touch $@; fi

$(PLUGIN)/node_modules/.ready: $(PLUGIN)/package.json
	@npm install --prefix $(PLUGIN) --loglevel=error && touch $@

plugin: ## build the Obsidian plugin, and run its linter and its own tests
	@if command -v npm > /dev/null; then $(MAKE) --no-print-directory $(PLUGIN)/node_modules/.ready && cd $(PLUGIN) && npm run --silent lint && npm test --silent && npm run --silent build; \
	 else echo "npm is not installed: the Obsidian plugin is not built and not tested"; fi

wheel: $(READY) plugin ## build the wheel, with the Obsidian plugin in it, into dist/
	@test -f $(PLUGIN)/main.js || { echo "no wheel without the plugin: install npm, then try again"; exit 1; }
	$(BIN)/python -m hatchling build -t wheel

# Templates and vocabularies that ship in llama-cpp-python's source only.
$(SOURCE)/.ready: $(READY)
	@$(BIN)/python -m pip download --quiet --no-deps --no-binary llama-cpp-python --constraint constraints.txt --dest $(SOURCE) llama-cpp-python
	@tar xf $(SOURCE)/llama_cpp_python-*.tar.gz -C $(SOURCE) --strip-components=1 && touch $@

test: $(READY) models $(NODE) plugin $(SOURCE)/.ready ## run every test
	LLAMA_CPP_MODELS=$(CURDIR)/$(SOURCE)/vendor/llama.cpp/models $(BIN)/python -m pytest

clients: $(READY) models $(NODE) ## try every client of docs/clients.md, and write its table anew
	UPDATE_CLIENTS=1 $(BIN)/python -m pytest $(CLIENTS)

conformance: $(READY) ## ten minutes of other people's checks of our API
	@$(BIN)/vaultbridge models pull smollm2-135m-instruct all-minilm-l6-v2
	$(BIN)/python -m tests.conformance

fuzz: $(READY) ## 100,000 mutated bodies
	$(BIN)/python -m pytest tests/fuzz --hypothesis-profile=fuzz

load: $(READY) ## 64 clients, a fifth of them with bad manners
	@$(BIN)/vaultbridge models pull smollm2-135m-instruct
	$(BIN)/python -m vaultbridge.lab.rush

soak: $(READY) ## forty minutes of vanishing clients, requests and kills
	@$(BIN)/vaultbridge models pull smollm2-135m-instruct
	$(BIN)/python -m vaultbridge.lab.soak
	$(BIN)/python -m vaultbridge.lab.soak_index

lint: $(READY) ## the linters
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

serve: $(READY) ## serve a vault: make serve VAULT=path/to/vault
	$(BIN)/vaultbridge serve --vault "$(VAULT)"

clean: ## remove what set-up made, fetched models excepted
	rm -rf $(VENV) $(CLIENTS)/node_modules $(PLUGIN)/node_modules $(PLUGIN)/main.js .mypy_cache .ruff_cache .pytest_cache .hypothesis
