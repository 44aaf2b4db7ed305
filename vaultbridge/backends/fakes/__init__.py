"""Stand-ins for every port, without a model: `--backend fakes`, and the tests."""
