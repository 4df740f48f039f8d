#ifndef SASLATCH_DAEMON_STATE_REDIS_RESP_H_
#define SASLATCH_DAEMON_STATE_REDIS_RESP_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace saslatch::state::redis {

// A command and its arguments, as bytes; the wire form is made when it is sent.
using Command = std::vector<std::string>;

// Behind all commands that `out` has already.
void append_command(const Command& command, std::string& out);

// An answer of the server (RESP 2). A value.
struct Reply {
  enum class Kind {
    kNil,
    kInteger,
    kText,  // a status or a string
    kArray,
    kError,  // the server's own words
    kLost,   // the connection ended before there was one
  };
  Kind kind = Kind::kNil;
  int64_t integer = 0;
  std::string text;
  std::vector<Reply> items;

  [[nodiscard]] bool is_error() const { return kind == Kind::kError || kind == Kind::kLost; }
  // The item's integer, or its text as one; nullopt where there is none.
  [[nodiscard]] std::optional<int64_t> integer_at(size_t index) const;
};

// A reply is no longer than this: the longest that is asked for is a part of the locks or of the
// news, 500 of them.
constexpr size_t kMaxReplyBytes = size_t{4} * 1024 * 1024;
// Nor has one of its lists more items, whatever it announces: a slot's each, where a cluster tells
// who has which, and a few.
constexpr size_t kMaxReplyItems = 20'000;

// Cuts a stream of bytes into replies. hiredis reads them.
class ReplyReader {
 public:
  ReplyReader();
  ~ReplyReader();
  ReplyReader(const ReplyReader&) = delete;
  ReplyReader& operator=(const ReplyReader&) = delete;

  void feed(std::string_view bytes);
  // The next whole reply; nullopt: there is none yet, or is_broken().
  std::optional<Reply> next();
  // The stream is no RESP, or a reply is beyond the bounds. It stays so.
  [[nodiscard]] bool is_broken() const { return is_broken_; }

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  size_t bytes_ = 0;  // since the last whole reply
  bool is_broken_ = false;
};

}  // namespace saslatch::state::redis

#endif  // SASLATCH_DAEMON_STATE_REDIS_RESP_H_
