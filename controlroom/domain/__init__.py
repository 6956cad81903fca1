"""What is true and what may be done. Pure: no IO, no asyncio, no clock, no randomness.

    calculators/  what use would cost otherwise, and what a fleet would need
    display/      what things look like: rows, words beside gauges, explanations, the same for screen and scripts
    fleets/       what applying a fleet file would change, and what is done about it
    keys/         what can be done, with which keys, and when
    limits/       what plans and the API let through, reckoned
    money/        budgets and what was spent: pure arithmetic on whole numbers
    permissions/  rules that answer what agents ask: commands taken apart, what beats what, the floor of denials
    queue/        which task starts next, why the others wait, how attempts end

Here: model, budgets and gauges (frozen values) · events and reduce: the only way a fleet changes · intents,
preconditions and decide: what somebody wants, and yes or no with a reason · orders · tasks · fleet files · claims ·
checks · alarms · news · patch: what a reader lacks · words: figures that line up. Rooms look down only.
"""
