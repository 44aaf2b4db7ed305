"""SUPPLY: which models exist, where their files are, how to fetch them."""
