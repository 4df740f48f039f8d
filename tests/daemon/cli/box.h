#ifndef SASLATCH_TESTS_DAEMON_CLI_BOX_H_
#define SASLATCH_TESTS_DAEMON_CLI_BOX_H_

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "tests/daemon/cli/socket_server.h"
#include "tests/daemon/control/control_world.h"

namespace saslatch::cli {

struct Finished {
  int exit = -1;  // of the process; -1: it did not end by itself
  std::string out;
  std::string err;
};

// Runs the program at `path`; both of its streams are pipes, and stdin gives `input`.
Finished run_program(const std::string& path, const std::vector<std::string>& arguments,
                     const std::string& input);

// What somebody types when `prompt` has appeared.
struct Answer {
  std::string prompt;
  std::string typed;
};

// The same on a terminal of its own; `out` has all that it showed, `err` nothing.
Finished run_on_terminal(const std::string& path, const std::vector<std::string>& arguments,
                         const std::vector<Answer>& answers);

// A directory of its own with a configuration whose paths are all in it, and what listens there.
// Everything is gone when it is destroyed.
class Box {
 public:
  Box();
  ~Box();
  Box(const Box&) = delete;
  Box& operator=(const Box&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  void write(const std::string& name, std::string_view text) const;
  // Adds a line to the configuration.
  void configure(std::string_view line);

  // Runs the built saslatch with --config.
  Finished saslatch(std::vector<std::string> arguments, const std::string& input) const;
  Finished saslatch_on_terminal(std::vector<std::string> arguments,
                                const std::vector<Answer>& answers) const;

  void start_daemon();       // on RUN-DIR/control
  void start_auth_server();  // on RUN-DIR/auth
  // A login as the daemon would count it.
  void login(std::string_view user, std::string_view rip, bool right);
  // What the next reload comes to.
  void plan_reload(control::ReloadReport report);

 private:
  std::string path_;
  std::string config_;
  std::mutex mutex_;  // guards world_
  control::ControlWorld world_;
  std::unique_ptr<SocketServer> daemon_;
  std::unique_ptr<SocketServer> auth_server_;
};

}  // namespace saslatch::cli

#endif  // SASLATCH_TESTS_DAEMON_CLI_BOX_H_
