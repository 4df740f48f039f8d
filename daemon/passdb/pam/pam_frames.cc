#include "daemon/passdb/pam/pam_frames.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <utility>

namespace saslatch::passdb {
namespace {

constexpr std::pair<ProofVerdict, char> kVerdicts[] = {{ProofVerdict::kRight, 'r'},
                                                       {ProofVerdict::kWrong, 'w'},
                                                       {ProofVerdict::kDisabled, 'd'},
                                                       {ProofVerdict::kUnknownUser, 'n'},
                                                       {ProofVerdict::kUnavailable, 'u'}};

void put_number(std::string& out, uint32_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
    out += static_cast<char>(value >> shift & 0xff);
  }
}

uint32_t number_of(std::string_view bytes) {
  uint32_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

// The frame of a head and texts; all room for it is taken at once, so that no piece of a password
// stays behind.
std::string frame_of(std::string_view head, std::initializer_list<std::string_view> texts) {
  size_t size = head.size();
  for (const std::string_view text : texts) size += 2 + text.size();
  std::string frame;
  frame.reserve(kPamHeader + size);
  put_number(frame, static_cast<uint32_t>(size), kPamHeader);
  frame += head;
  for (const std::string_view text : texts) {
    put_number(frame, static_cast<uint32_t>(text.size()), 2);
    frame += text;
  }
  return frame;
}

// Takes a text off `rest`; nullopt where it is cut or too long, or has a NUL in it.
std::optional<std::string_view> take_text(std::string_view& rest) {
  if (rest.size() < 2) return std::nullopt;
  const size_t size = number_of(rest.substr(0, 2));
  if (size > kMaxPamText || rest.size() - 2 < size) return std::nullopt;
  const std::string_view text = rest.substr(2, size);
  rest.remove_prefix(2 + size);
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  return text;
}

}  // namespace

Result<Secret> encode(const PamQuestion& question) {
  for (const std::string_view text :
       {std::string_view(question.service), std::string_view(question.user),
        std::string_view(question.rhost), question.password.reveal()}) {
    if (text.size() > kMaxPamText) return failure("a name or a password is too long for PAM");
    if (text.find('\0') != std::string_view::npos) return failure("a NUL is no character to PAM");
  }
  std::string frame =
      frame_of(question.account_only ? "Q1C" : "Q1A",
               {question.service, question.user, question.rhost, question.password.reveal()});
  return Secret::take(frame);
}

std::string encode(const PamAnswer& answer) {
  char verdict = 'u';
  for (const auto& [each, letter] : kVerdicts) {
    if (each == answer.verdict) verdict = letter;
  }
  return frame_of(std::string("R1") + verdict,
                  {std::string_view(answer.reason).substr(0, kMaxPamText)});
}

Result<size_t> frame_size(std::string_view header) {
  const size_t size = number_of(header.substr(0, kPamHeader));
  if (header.size() != kPamHeader || size == 0 || size > kMaxPamFrame) {
    return failure("the length of a frame is out of bounds");
  }
  return size;
}

Result<PamQuestion> decode_question(std::string_view frame) {
  const bool is_account = frame.starts_with("Q1C");
  if (!is_account && !frame.starts_with("Q1A")) return failure("no question of version 1");
  std::string_view rest = frame.substr(3);
  std::array<std::string_view, 4> texts;
  for (std::string_view& text : texts) {
    const auto taken = take_text(rest);
    if (!taken) return failure("a text of a question is cut, too long, or has a NUL in it");
    text = *taken;
  }
  if (!rest.empty()) return failure("something follows a question");
  if (texts[0].empty() || texts[1].empty()) return failure("a question names no service or user");
  return PamQuestion{std::string(texts[0]), std::string(texts[1]), std::string(texts[2]),
                     Secret(texts[3]), is_account};
}

Result<PamAnswer> decode_answer(std::string_view frame) {
  if (!frame.starts_with("R1") || frame.size() < 3) return failure("no answer of version 1");
  const auto* const known = std::find_if(std::begin(kVerdicts), std::end(kVerdicts),
                                         [&](const auto& one) { return one.second == frame[2]; });
  if (known == std::end(kVerdicts)) return failure("an answer has an unknown verdict");
  std::string_view rest = frame.substr(3);
  const auto reason = take_text(rest);
  if (!reason || !rest.empty())
    return failure("an answer is cut, too long, or something follows it");
  return PamAnswer{known->first, std::string(*reason)};
}

}  // namespace saslatch::passdb
