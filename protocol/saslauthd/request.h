#ifndef SASLATCH_PROTOCOL_SASLAUTHD_REQUEST_H_
#define SASLATCH_PROTOCOL_SASLAUTHD_REQUEST_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/base/ip_address.h"
#include "protocol/base/result.h"
#include "protocol/base/secret.h"

namespace saslatch::saslauthd {

// The longest field: what libsasl2 itself keeps of a name. saslauthd stops at 256, which real
// passwords and addresses exceed.
inline constexpr size_t kMaxField = 1024;

// One request of the mux protocol. libsasl2 splits user@realm before it asks.
struct Request {
  std::string login;
  Secret password;
  std::string service;
  std::string realm;
  // From the fifth field `ip;port`, which few clients send; absent too if that is no address.
  std::optional<IpAddress> rip;

  // login, and a non-empty realm behind an `@`.
  [[nodiscard]] std::string authcid() const;
};

// Reads one request, however it is cut: four fields, each a big-endian 16-bit length and as many
// bytes, and perhaps a fifth, which nothing announces. One object per connection; wipes the
// password when destroyed.
class RequestParser {
 public:
  enum class State {
    kNeedMore,    // fewer than four fields
    kMaybeFifth,  // four fields, and none or a part of a fifth: wait a few milliseconds at most for
                  // more, or for the end of input, then take()
    kComplete,    // five fields: take()
  };

  RequestParser() = default;
  ~RequestParser();
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  // Takes the bytes that arrived; they are borrowed for the call. The error says what is wrong with
  // the request and never quotes it: a field beyond kMaxField, a NUL (libsasl2's strings have
  // none), bytes behind the fifth field. After an error the parser is of no more use. An empty
  // login or password is no error here: people type such, and are to be told NO.
  [[nodiscard]] Result<State> receive(std::string_view bytes);

  // The request, once, in kMaybeFifth and kComplete. A fifth field that is not complete is dropped.
  [[nodiscard]] Request take();

 private:
  static constexpr size_t kFields = 5;

  [[nodiscard]] Result<void> begin_field(size_t length);
  [[nodiscard]] Result<void> end_field();

  std::array<std::string, kFields> fields_;
  size_t field_ = 0;         // the one being read
  size_t length_bytes_ = 0;  // of its two length bytes, those read
  size_t length_ = 0;
};

}  // namespace saslatch::saslauthd

#endif  // SASLATCH_PROTOCOL_SASLAUTHD_REQUEST_H_
