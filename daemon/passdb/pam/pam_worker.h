#ifndef SASLATCH_DAEMON_PASSDB_PAM_PAM_WORKER_H_
#define SASLATCH_DAEMON_PASSDB_PAM_PAM_WORKER_H_

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/passdb/connection_pool.h"
#include "daemon/passdb/pam/pam_frames.h"
#include "daemon/passdb/waiter.h"
#include "protocol/base/result.h"

namespace saslatch::passdb {

// One process that asks PAM, and the stream to it: started by us, or by who listens on a socket.
// Ending the object closes the stream, and kills and reaps the process that we started.
class PamWorker {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // Starts `command`, whose first word is the path of the program, with the stream as its standard
  // input, an environment of PATH only, and no other descriptor of ours.
  static Result<std::unique_ptr<PamWorker>> start(const std::vector<std::string>& command);
  // Connects to a UNIX socket behind which one is started for each connection.
  static Result<std::unique_ptr<PamWorker>> connect(const std::string& path);

  ~PamWorker();
  PamWorker(const PamWorker&) = delete;
  PamWorker& operator=(const PamWorker&) = delete;

  // False once it has ended; waits for nothing.
  [[nodiscard]] bool is_alive() const;

  // Asks and waits for the answer. A JobEnd that is not kAnswered tells why there is none.
  JobEnd ask(const Secret& frame, PamAnswer& answer, const Waiter& waiter, Time deadline);

 private:
  PamWorker(int stream, pid_t process) : stream_(stream), process_(process) {}
  JobEnd move(bool sends, char* bytes, size_t size, const Waiter& waiter, Time deadline);

  const int stream_;
  const pid_t process_;  // 0: not ours
};

}  // namespace saslatch::passdb

#endif  // SASLATCH_DAEMON_PASSDB_PAM_PAM_WORKER_H_
