"""The screen: a Textual app over what a client of the engine holds. It keeps no truth of its own.

    actions/   what actions do
    screens/   what one looks at, and the dialogs that ask for something
    widgets/   what the screens are made of
    logs/      what is held here of agents' logs: read, followed, searched, put in one order
    theme/     colours, signs and arrangement, and what of them is remembered
    terminal/  the terminal itself: what comes from it, what goes to it, and how it is given back

Here: run (the way in and out) · app: puts the parts together · context: the parts, as screens, widgets and actions see
them, and the messages that ask the app for something · link: the connection to the engine · engine_client: what the
screen needs of a client · view_state: one moment of it all · review_drafts: comments that were not sent yet. Rooms look
down only.
"""
