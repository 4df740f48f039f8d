#include "daemon/state/redis/resp.h"

#include <hiredis/hiredis.h>

#include <charconv>

namespace saslatch::state::redis {
namespace {

Reply from(const redisReply& raw) {
  Reply reply;
  switch (raw.type) {
    case REDIS_REPLY_INTEGER:
      reply.kind = Reply::Kind::kInteger;
      reply.integer = raw.integer;
      break;
    case REDIS_REPLY_STATUS:
    case REDIS_REPLY_STRING:
      reply.kind = Reply::Kind::kText;
      reply.text.assign(raw.str, raw.len);
      break;
    case REDIS_REPLY_ERROR:
      reply.kind = Reply::Kind::kError;
      reply.text.assign(raw.str, raw.len);
      break;
    case REDIS_REPLY_ARRAY:
      reply.kind = Reply::Kind::kArray;
      reply.items.reserve(raw.elements);
      for (size_t i = 0; i < raw.elements; ++i) reply.items.push_back(from(*raw.element[i]));
      break;
    default:
      break;
  }
  return reply;
}

}  // namespace

void append_command(const Command& command, std::string& out) {
  std::vector<const char*> arguments;
  std::vector<size_t> lengths;
  arguments.reserve(command.size());
  lengths.reserve(command.size());
  for (const std::string& argument : command) {
    arguments.push_back(argument.data());
    lengths.push_back(argument.size());
  }
  char* formatted = nullptr;
  const long long length = redisFormatCommandArgv(&formatted, static_cast<int>(command.size()),
                                                  arguments.data(), lengths.data());
  if (length < 0) return;  // out of memory: the caller's timeout tells
  out.append(formatted, static_cast<size_t>(length));
  redisFreeCommand(formatted);
}

std::optional<int64_t> Reply::integer_at(size_t index) const {
  if (index >= items.size()) return std::nullopt;
  const Reply& item = items[index];
  if (item.kind == Kind::kInteger) return item.integer;
  if (item.kind != Kind::kText) return std::nullopt;
  int64_t value = 0;
  const char* const end = item.text.data() + item.text.size();
  const auto [last, error] = std::from_chars(item.text.data(), end, value);
  return error == std::errc() && last == end ? std::optional(value) : std::nullopt;
}

struct ReplyReader::Impl {
  redisReader* reader = redisReaderCreate();
  redisReplyObjectFunctions functions{};
  decltype(redisReplyObjectFunctions::createArray) create_array = nullptr;
};

namespace {

// hiredis makes room for as many items as are announced, before there are any. How it counts them
// has changed with its versions.
template <typename Number>
void* create_bounded_array(const redisReadTask* task, Number items) {
  if (static_cast<size_t>(items) > kMaxReplyItems) return nullptr;
  using Create = decltype(redisReplyObjectFunctions::createArray);
  return (*static_cast<const Create*>(task->privdata))(task, items);
}

}  // namespace

ReplyReader::ReplyReader() : impl_(std::make_unique<Impl>()) {
  redisReader* const reader = impl_->reader;
  is_broken_ = reader == nullptr;
  if (is_broken_) return;
  impl_->create_array = reader->fn->createArray;
  impl_->functions = *reader->fn;
  impl_->functions.createArray = create_bounded_array;
  reader->fn = &impl_->functions;
  reader->privdata = &impl_->create_array;
}

ReplyReader::~ReplyReader() {
  if (impl_->reader != nullptr) redisReaderFree(impl_->reader);
}

void ReplyReader::feed(std::string_view bytes) {
  if (is_broken_) return;
  bytes_ += bytes.size();
  is_broken_ = redisReaderFeed(impl_->reader, bytes.data(), bytes.size()) != REDIS_OK;
}

std::optional<Reply> ReplyReader::next() {
  if (is_broken_) return std::nullopt;
  void* raw = nullptr;
  is_broken_ = redisReaderGetReply(impl_->reader, &raw) != REDIS_OK;
  if (raw == nullptr) {
    is_broken_ = is_broken_ || bytes_ > kMaxReplyBytes;
    return std::nullopt;
  }
  bytes_ = impl_->reader->len - impl_->reader->pos;
  Reply reply = from(*static_cast<redisReply*>(raw));
  freeReplyObject(raw);
  return reply;
}

}  // namespace saslatch::state::redis
