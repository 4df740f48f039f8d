#ifndef SASLATCH_DAEMON_NET_NAME_LOOKUP_H_
#define SASLATCH_DAEMON_NET_NAME_LOOKUP_H_

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace saslatch::net {

// Host names to addresses by getaddrinfo(3), which may take as long as silent name servers make it
// and cannot be called off. So each name has a thread while it is looked up, which nobody waits for
// at the end: Asio's resolver would join it, and the daemon would stop only when DNS gives up.
// Asked for a name that is under way, it waits for the same answer. On the context's thread only.
class NameLookup {
 public:
  using Endpoint = boost::asio::generic::stream_protocol::endpoint;
  struct Answer {
    std::vector<Endpoint> endpoints;  // as getaddrinfo sorts them, at most kMostEndpoints
    std::string error;                // for people, if there are none
  };
  using Taker = std::function<void(const Answer& answer)>;

  // `context` outlives this object.
  explicit NameLookup(boost::asio::io_context& context);
  ~NameLookup();
  NameLookup(const NameLookup&) = delete;
  NameLookup& operator=(const NameLookup&) = delete;

  // Calls `taker` later, on the context's thread; never once this object is gone.
  void ask(const std::string& host, const std::string& port, Taker taker);

  // More addresses than anybody gives one name; the rest would not be tried in time.
  static constexpr size_t kMostEndpoints = 8;
  // Names looked up at the same time: more than servers there may be in a configuration.
  static constexpr size_t kMostLookups = 32;

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace saslatch::net

#endif  // SASLATCH_DAEMON_NET_NAME_LOOKUP_H_
