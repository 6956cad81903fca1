"""Every fault and threat that we make a promise about: the table of them, and the tests that nothing else has."""
