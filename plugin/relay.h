#ifndef SASLATCH_PLUGIN_RELAY_H_
#define SASLATCH_PLUGIN_RELAY_H_

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <string>

#include "plugin/link.h"

namespace saslatch::plugin {

// Gives each process its own Link. Servers load the plugin, then fork; some fork with connections
// in use, some with threads in the midst of anything. Two processes that wrote to one socket would
// read each other's verdicts.
//
// Thread-safe, and safe over fork() at any moment: what belongs to the parent is neither locked nor
// freed in the child.
class Relay {
 public:
  explicit Relay(std::string socket_path);
  // No thread uses it any more.
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  // This process's link, made at the first call; nothing is connected yet. Lives as long as this
  // object and this process. Compare with an earlier one to see whether that was the parent's.
  Link& link();

 private:
  // A process for ever: a pid alone comes back some day, in a grandchild for instance.
  struct Identity {
    pid_t pid;
    uint64_t forks;  // from the first process of the program down to this one
    friend bool operator==(const Identity&, const Identity&) = default;
  };
  struct Member {
    Identity process;
    Link link;
    Member* of_parent;  // left alone for ever; kept so that it is not lost to leak checkers
  };
  static Identity identity();

  const std::string path_;
  std::atomic<Member*> member_ = nullptr;
};

}  // namespace saslatch::plugin

#endif  // SASLATCH_PLUGIN_RELAY_H_
