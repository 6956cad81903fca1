"""A stand-in for the Anthropic Messages API on loopback, for the real Claude Code and for SDKs.

It answers POST /v1/messages (streamed and whole), /v1/messages/count_tokens, GET /v1/models, /api/hello and HEAD /,
with usage and rate-limit headers. A base URL may carry a prefix (http://host:port/agent/a7); the log keeps it.

How the answer is chosen, the first that applies:

1. A queued step (`Api.queue`), with {"match": {"session" | "model" | "prompt": substring}} or for the first that comes.
2. The configured `mode`: "ok", or an error status such as 429, 529, 401, 500, for `mode_times` requests.
3. Auxiliary requests, those without tools (titles, summaries), get `aux_text`, a small JSON if they ask for a schema,
   or `classifier_text` if they come from Claude Code's safety classifier.
4. Directives in the last user prompt. Each reply consumes the next step; the number of replies is counted in the
   conversation itself, so that parallel agents do not disturb each other and a retried request gets the same step:

   [[text Some answer]]                    ends the turn with this text
   [[tool Bash {"command": "ls"}]]         a tool_use block
   [[tools Bash {..} ;; Read {..}]]        several tool_use blocks in one message
   [[think Some thought]]                  a thinking block before the next step
   [[error 429 times=2 retry_after=3]]     an HTTP error `times` times (inf: for ever), then the next step
   [[midstream overloaded_error times=1]]  an error event after half of the text
   [[drop times=1]]                        the connection closes after half of the text
   [[hang 20]]                             silence for so many seconds before the next step
   [[slow 0.5 12]]                         the next text in 12 chunks, 0.5 s apart
   [[max_tokens]]  [[refusal]]             the next step ends with this stop_reason

   When the steps are used up, or there are none: `text`.

Usage is computed from the request (4 characters a token) with a prompt cache for each session; `usage` in the
configuration replaces it. All configuration keys are in `defaults.CONFIG`.
"""
