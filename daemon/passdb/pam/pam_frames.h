#ifndef SASLATCH_DAEMON_PASSDB_PAM_PAM_FRAMES_H_
#define SASLATCH_DAEMON_PASSDB_PAM_PAM_FRAMES_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/passdb/authenticator.h"
#include "protocol/base/result.h"
#include "protocol/base/secret.h"

namespace saslatch::passdb {

// What saslatchd and saslatch-pam-worker say to each other over a stream: one question, one answer,
// then the next question.
//
//   frame     length (32 bits) of what follows, big endian; at most kMaxPamFrame
//   question  'Q' '1', kind ('A' authenticate and account, 'C' account only), then four texts:
//             service, user, remote host, password
//   answer    'R' '1', verdict ('r' right, 'w' wrong, 'd' disabled, 'n' unknown user,
//             'u' unavailable), then one text: the reason
//   text      length (16 bits), big endian, and so many bytes
//
// Nothing may follow the last text. Pure; the parsers take whatever bytes there are.

// A name and a password may have 1024 bytes each (Dovecot's and saslauthd's limit).
constexpr size_t kMaxPamText = 1024;
constexpr size_t kMaxPamFrame = 4 * (kMaxPamText + 2) + 3;
constexpr size_t kPamHeader = 4;

struct PamQuestion {
  std::string service;
  std::string user;
  std::string rhost;  // empty: not known
  Secret password;    // of no meaning for `account_only`
  bool account_only = false;
};

struct PamAnswer {
  ProofVerdict verdict = ProofVerdict::kUnavailable;
  std::string reason;
};

// The frame with its header, wiped by its owner. Texts that are too long are an error.
[[nodiscard]] Result<Secret> encode(const PamQuestion& question);
// A reason that is too long is cut.
[[nodiscard]] std::string encode(const PamAnswer& answer);

// How many bytes follow this header of kPamHeader bytes; an error for 0 and too many.
[[nodiscard]] Result<size_t> frame_size(std::string_view header);
// What follows the header. The user and the service are not empty and have no NUL, nor has any
// other text: PAM's are C strings. An error does not quote the frame.
[[nodiscard]] Result<PamQuestion> decode_question(std::string_view frame);
[[nodiscard]] Result<PamAnswer> decode_answer(std::string_view frame);

}  // namespace saslatch::passdb

#endif  // SASLATCH_DAEMON_PASSDB_PAM_PAM_FRAMES_H_
