#ifndef SASLATCH_DAEMON_REPLAY_HTML_REPORT_H_
#define SASLATCH_DAEMON_REPLAY_HTML_REPORT_H_

#include <string>

#include "daemon/replay/replay.h"

namespace saslatch::replay {

// The findings as one HTML page: no script, no network, no file beside it, to be read on a screen
// of any width and printed. Whatever stood in the logs is text in it (html_text()), and its own
// Content-Security-Policy lets nothing else in. `zone` is for the ticks.
std::string html_report(const Findings& findings, Zone& zone);

}  // namespace saslatch::replay

#endif  // SASLATCH_DAEMON_REPLAY_HTML_REPORT_H_
