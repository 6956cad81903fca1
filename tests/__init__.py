"""The tests of Control Room: the same folders as the package, and `lab/`, where real hosts come from."""
