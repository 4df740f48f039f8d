#ifndef SASLATCH_PROTOCOL_DOVECOT_LINE_READER_H_
#define SASLATCH_PROTOCOL_DOVECOT_LINE_READER_H_

#include <cstddef>
#include <optional>
#include <string_view>

#include "protocol/base/result.h"
#include "protocol/dovecot/wiped_buffer.h"

namespace saslatch::dovecot {

// Cuts a byte stream into lines, however the bytes arrive, in time linear to their number. Lines
// may hold passwords: each is overwritten as soon as the next one is asked for.
//
// What is kept is at most one unfinished line, provided that next() is called until it has none
// after each append().
class LineReader {
 public:
  // `max_line` counts the LF.
  explicit LineReader(size_t max_line) : max_line_(max_line) {}

  void append(std::string_view bytes) { buffer_.append(bytes); }

  // The next line without its LF and one CR before it, borrowed until the next call; nullopt: none
  // is whole yet. An error, in words for a log: more than max_line bytes without an LF, or a NUL
  // byte, which must be sent escaped (C programs would see half the line). Nothing can be read
  // behind it.
  [[nodiscard]] Result<std::optional<std::string_view>> next();

 private:
  size_t max_line_;
  size_t returned_ = 0;  // bytes of the line handed out last, still at the front of buffer_
  size_t scanned_ = 0;   // bytes known to hold no LF
  WipedBuffer buffer_;
};

}  // namespace saslatch::dovecot

#endif  // SASLATCH_PROTOCOL_DOVECOT_LINE_READER_H_
