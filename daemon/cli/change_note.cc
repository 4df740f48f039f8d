#include "daemon/cli/change_note.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>

#include "daemon/audit/audit.h"
#include "daemon/cli/control_client.h"
#include "daemon/cli/descriptor.h"

namespace saslatch::cli {
namespace {

// How many of them the daemon has written.
size_t tell_daemon(const Settings& settings, const std::vector<Change>& changes,
                   const std::string& by) {
  auto client = ControlClient::connect(settings.control_socket());
  size_t told = 0;
  while (client && told < changes.size()) {
    const Change& change = changes[told];
    const Json request{{"change", change.command}, {"target", change.target}, {"by", by}};
    if (!client->ask("note change", request)) break;
    ++told;
  }
  return told;
}

}  // namespace

std::string who_am_i() {
  if (geteuid() != 0) return "uid " + std::to_string(geteuid());
  const char* const sudo = std::getenv("SUDO_USER");
  return sudo == nullptr || *sudo == '\0' ? "root" : "root (sudo by " + std::string(sudo) + ")";
}

void note_changes(const Settings& settings, const std::vector<Change>& changes, Console& console) {
  const std::string by = who_am_i();
  size_t told = tell_daemon(settings, changes, by);
  const std::string& path = settings.config.daemon.audit_log;
  if (told == changes.size() || path.empty()) return;
  // Made here, the file would be root's and not the daemon's.
  const Descriptor file(
      open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat about {};
  if (file.number() < 0 && errno == ENOENT) return;
  std::string lines;
  const auto now = std::chrono::system_clock::now();
  for (; told < changes.size(); ++told) {
    append_json_line(AdminEvent{now, changes[told].command, changes[told].target, by, true, {}},
                     lines);
  }
  const bool written =
      file.number() >= 0 && fstat(file.number(), &about) == 0 && S_ISREG(about.st_mode) &&
      write(file.number(), lines.data(), lines.size()) == static_cast<ssize_t>(lines.size());
  if (!written) {
    console.warning("done, but not written into the audit log " + path + ": " +
                    std::strerror(errno));
  }
}

}  // namespace saslatch::cli
