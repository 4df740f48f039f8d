#include "daemon/session/metrics_session.h"

#include <algorithm>
#include <charconv>

#include "daemon/metrics/openmetrics.h"

namespace saslatch {
namespace {

// Where the head ends, the empty line included; npos: not yet. RFC 9112, section 2.2: a lone LF may
// end a line too.
size_t end_of_head(std::string_view head) {
  for (size_t at = head.find('\n'); at != std::string_view::npos; at = head.find('\n', at + 1)) {
    const std::string_view rest = head.substr(at + 1);
    if (rest.starts_with("\n")) return at + 2;
    if (rest.starts_with("\r\n")) return at + 3;
  }
  return std::string_view::npos;
}

bool is_same_word(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return lower(x) == lower(y);
  });
}

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

// Cuts the part up to `end` off the front of `text`.
std::string_view take_until(std::string_view& text, char end) {
  const size_t at = std::min(text.find(end), text.size());
  const std::string_view part = text.substr(0, at);
  text.remove_prefix(std::min(at + 1, text.size()));
  return trimmed(part);
}

// The weight of one element of Accept (RFC 9110, section 12.4.2); what cannot be read counts as 1.
double weight(std::string_view parameters) {
  while (!parameters.empty()) {
    std::string_view value = take_until(parameters, ';');
    if (!is_same_word(take_until(value, '='), "q")) continue;
    double weight = 1;
    std::from_chars(value.data(), value.data() + value.size(), weight);
    return weight;
  }
  return 1;
}

// By the Accept fields of a head (RFC 9110, section 12.5.1): OpenMetrics where it is named and
// text/plain is not preferred to it.
ExpositionFormat wanted_format(std::string_view fields) {
  double openmetrics = 0;
  double plain = 0;
  while (!fields.empty()) {
    std::string_view field = take_until(fields, '\n');
    if (!is_same_word(take_until(field, ':'), "Accept")) continue;
    while (!field.empty()) {
      std::string_view element = take_until(field, ',');
      const std::string_view type = take_until(element, ';');
      if (is_same_word(type, "application/openmetrics-text")) {
        openmetrics = std::max(openmetrics, weight(element));
      } else if (is_same_word(type, "text/plain")) {
        plain = std::max(plain, weight(element));
      }
    }
  }
  return openmetrics > 0 && openmetrics >= plain ? ExpositionFormat::kOpenmetrics
                                                 : ExpositionFormat::kPrometheus;
}

}  // namespace

void MetricsSession::receive(std::string_view bytes, Now) {
  if (over_) return;
  head_ += bytes.substr(0, kMaxHead + 1 - std::min(head_.size(), kMaxHead));
  const size_t end = end_of_head(head_);
  if (end == std::string_view::npos) {
    if (head_.size() > kMaxHead) respond("431 Request Header Fields Too Large", "", "", true);
    return;
  }
  std::string_view line = std::string_view(head_).substr(0, head_.find('\n'));
  const std::string_view fields =
      std::string_view(head_).substr(line.size() + 1, end - line.size() - 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  answer_request(line, fields);
}

// METHOD SP TARGET SP VERSION (RFC 9112, section 3).
void MetricsSession::answer_request(std::string_view line, std::string_view fields) {
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  const bool has_version = last != std::string_view::npos && last > first + 1 &&
                           line.substr(last + 1).starts_with("HTTP/1.");
  if (!has_version || first == 0) {
    return respond("400 Bad Request", "", "this is HTTP/1.1: GET /metrics\n", true);
  }
  const std::string_view method = line.substr(0, first);
  std::string_view target = line.substr(first + 1, last - first - 1);
  target = target.substr(0, target.find('?'));
  const bool is_head = method == "HEAD";
  if (method != "GET" && !is_head) {
    return respond("405 Method Not Allowed", "Allow: GET, HEAD\r\n", "", true);
  }
  if (target != "/metrics") {
    return respond("404 Not Found", "", "the figures are at /metrics\n", !is_head);
  }
  const ExpositionFormat format = wanted_format(fields);
  const std::string type = std::string("Content-Type: ") + media_type(format) + "\r\n";
  respond("200 OK", type, to_text(metrics_.snapshot(), format), !is_head);
}

void MetricsSession::respond(std::string_view status, std::string_view headers,
                             std::string_view body, bool with_body) {
  output_ = "HTTP/1.1 ";
  output_ += status;
  output_ += "\r\n";
  output_ += headers;
  output_ += "Content-Length: " + std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n";
  if (with_body) output_ += body;
  head_.clear();
  over_ = true;
}

std::optional<Mono> MetricsSession::next_deadline() const {
  if (over_) return {};
  return until_;
}

void MetricsSession::on_deadline(Now now) {
  if (now.mono >= until_) over_ = true;
}

}  // namespace saslatch
