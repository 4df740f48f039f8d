#ifndef SASLATCH_DAEMON_CLI_CHANGE_NOTE_H_
#define SASLATCH_DAEMON_CLI_CHANGE_NOTE_H_

#include <string>
#include <vector>

#include "daemon/cli/console.h"
#include "daemon/cli/settings.h"

namespace saslatch::cli {

// Something that a command has done to users.db.
struct Change {
  std::string command;  // "code add"
  std::string target;   // "alice code:3 Phone"
};

// Whoever runs this program: "root", "root (sudo by alice)", "uid 1000".
std::string who_am_i();

// Writes `admin` events for what was changed: by the daemon, which also looks at the database at
// once, else into the audit log directly where there is one. A change is no less done for it: what
// cannot be written is a warning.
void note_changes(const Settings& settings, const std::vector<Change>& changes, Console& console);

}  // namespace saslatch::cli

#endif  // SASLATCH_DAEMON_CLI_CHANGE_NOTE_H_
