#ifndef SASLATCH_DAEMON_SESSION_METRICS_SESSION_H_
#define SASLATCH_DAEMON_SESSION_METRICS_SESSION_H_

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "daemon/metrics/metrics.h"
#include "daemon/session/session.h"

namespace saslatch {

// A client of `protocol = metrics`, a Prometheus: one request of HTTP/1.0 or 1.1, one response, the
// end (`Connection: close`). GET and HEAD of /metrics are answered with the figures, in
// OpenMetrics where `Accept` prefers it to text/plain, else in Prometheus's own format; another
// path with 404, another method with 405, what is no HTTP with 400, a head beyond kMaxHead with
// 431. A request that takes longer than kPatience is dropped. A body is not read.
class MetricsSession final : public Session {
 public:
  // Prometheus sends some 300 bytes.
  static constexpr size_t kMaxHead = 8192;
  static constexpr std::chrono::seconds kPatience{10};

  // `metrics` outlives the session.
  MetricsSession(const Metrics& metrics, Now now)
      : metrics_(metrics), until_(now.mono + kPatience) {}

  void receive(std::string_view bytes, Now now) override;
  void end_of_input(Now) override { over_ = true; }
  void drain(Now) override { over_ = true; }
  void on_answer(uint64_t, Answer, Now) override {}  // it asks for none
  void on_release(uint64_t, Now) override {}
  void on_wake(uint64_t, Now) override {}
  [[nodiscard]] std::optional<Mono> next_deadline() const override;
  void on_deadline(Now now) override;
  [[nodiscard]] std::string take_output() override { return std::exchange(output_, {}); }
  [[nodiscard]] bool is_over() const override { return over_; }

 private:
  void answer_request(std::string_view request_line, std::string_view fields);
  void respond(std::string_view status, std::string_view headers, std::string_view body,
               bool with_body);

  const Metrics& metrics_;
  Mono until_;
  std::string head_;
  std::string output_;
  bool over_ = false;
};

}  // namespace saslatch

#endif  // SASLATCH_DAEMON_SESSION_METRICS_SESSION_H_
