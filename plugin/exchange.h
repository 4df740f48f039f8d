#ifndef SASLATCH_PLUGIN_EXCHANGE_H_
#define SASLATCH_PLUGIN_EXCHANGE_H_

#include <sasl/sasl.h>
#include <sasl/saslplug.h>

#include <optional>
#include <string>
#include <string_view>

#include "plugin/options.h"
#include "plugin/relay.h"
#include "protocol/sasl/registry.h"

namespace saslatch::plugin {

// One login: what libsasl2 calls a mechanism's context. Checks each message of the client by the
// mechanism's own rules, relays it to the daemon and waits for the answer. Not thread-safe, as the
// sasl_conn_t that it belongs to.
class Exchange {
 public:
  // All references outlive the exchange; `server` is libsasl2's and holds the connection's facts.
  Exchange(const sasl::MechanismInfo& mechanism, const Options& options, Relay& relay,
           const sasl_server_params_t& server)
      : mechanism_(mechanism), options_(options), relay_(relay), server_(server) {}
  // Gives up what is unfinished. Never waits.
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // Takes the client's next message, nullopt if there is none yet, and returns a SASL_* code:
  //   SASL_CONTINUE  `output` is the next challenge
  //   SASL_OK        `result` has the account's name; `output` is the mechanism's last message, if
  //                  it has one
  //   SASL_BADAUTH   wrong, unknown, locked out: nobody is told which
  //   SASL_BADPROT   a message that is none of the mechanism; the daemon has not seen it
  //   SASL_UNAVAIL   no daemon, no answer within the timeout, or the connection was lost
  //   SASL_TRYAGAIN  a temporary failure of the daemon's
  //   SASL_NOAUTHZ, SASL_DISABLED, SASL_EXPIRED as the daemon says
  // After anything but SASL_CONTINUE the exchange is over. `output` lives until the next call.
  int step(std::optional<std::string_view> message, std::optional<std::string_view>& output,
           sasl_out_params_t& result);

 private:
  enum class State { kFresh, kChallenged, kOver };

  Answer begin(std::optional<std::string_view> initial_response, Deadline deadline);
  int conclude(Answer answer, std::optional<std::string_view>& output, sasl_out_params_t& result);
  int succeed(dovecot::OkReceived& ok, std::optional<std::string_view>& output,
              sasl_out_params_t& result);
  int refuse(const dovecot::FailReceived& fail, sasl_out_params_t& result);
  // Tells libsasl2 whose login this is. Returns its code.
  int name_account(const std::string& name, sasl_out_params_t& result);
  int unavailable(const std::string& why);
  // What the application, and with some of them the remote side, may read about the failure.
  void explain(const char* text);

  const sasl::MechanismInfo& mechanism_;
  const Options& options_;
  Relay& relay_;
  const sasl_server_params_t& server_;

  State state_ = State::kFresh;
  size_t messages_ = 0;   // of the client, so far
  Link* link_ = nullptr;  // the process's that began it
  ExchangeId id_;
  std::string output_;
};

}  // namespace saslatch::plugin

#endif  // SASLATCH_PLUGIN_EXCHANGE_H_
