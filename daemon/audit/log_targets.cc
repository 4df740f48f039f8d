#include "daemon/audit/log_targets.h"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/sinks/syslog_sink.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <utility>
#include <vector>

#ifdef SASLATCH_HAVE_SYSTEMD
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#endif

#include "daemon/audit/audit.h"
#include "daemon/audit/safe_text.h"

namespace saslatch {
namespace {

constexpr std::array<bool, 256> kBare = [] {
  std::array<bool, 256> bare{};
  for (size_t c = 'a'; c <= 'z'; ++c) bare[c] = bare[c - 'a' + 'A'] = true;
  for (size_t c = '0'; c <= '9'; ++c) bare[c] = true;
  for (const char c : std::string_view("._:@/+,%~-")) bare[static_cast<uint8_t>(c)] = true;
  return bare;
}();

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

int syslog_priority(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return LOG_DEBUG;
    case LogLevel::kInfo:
      return LOG_INFO;
    case LogLevel::kWarning:
      return LOG_WARNING;
    case LogLevel::kError:
      return LOG_ERR;
  }
  return LOG_ERR;
}

// True if stderr is a stream of the journal: systemd.exec(5) gives its device and inode.
bool stderr_is_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat status {};
  if (stream == nullptr || fstat(STDERR_FILENO, &status) != 0) return false;
  return std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino) == stream;
}

class SpdlogLog final : public Log {
 public:
  SpdlogLog(spdlog::sink_ptr sink, LogLevel level, bool with_priority)
      : logger_("saslatchd", std::move(sink)), with_priority_(with_priority) {
    logger_.set_level(spdlog_level(level));
    logger_.flush_on(spdlog::level::trace);
    // A log that cannot be written must not end the daemon, and has nowhere to say so.
    logger_.set_error_handler([](const std::string&) {});
  }

  void write(LogLevel level, std::string_view name, std::string_view text,
             std::initializer_list<LogField> fields) override {
    if (!logger_.should_log(spdlog_level(level))) return;
    try {
      std::string line;
      if (with_priority_) line = "<" + std::to_string(syslog_priority(level)) + ">";
      line += format_log_line(name, text, fields);
      logger_.log(spdlog_level(level), spdlog::string_view_t(line.data(), line.size()));
    } catch (const std::bad_alloc&) {
      write_short(level, name, text);
    }
  }

 private:
  // Without the fields, in what the logger and we have on the stack.
  void write_short(LogLevel level, std::string_view name, std::string_view text) {
    std::array<char, 160> line{};
    size_t size = name.copy(line.data(), 60);
    size += std::string_view(": ").copy(line.data() + size, 2);
    size += text.copy(line.data() + size, line.size() - size);
    logger_.log(spdlog_level(level), spdlog::string_view_t(line.data(), size));
  }

  spdlog::logger logger_;
  bool with_priority_;  // for the journal behind stderr, sd-daemon(3)
};

std::unique_ptr<Log> make_stderr(LogLevel level) {
  auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  const bool journal = stderr_is_journal();
  if (journal) {
    sink->set_pattern("%v");
  } else {
    sink->set_formatter(std::make_unique<spdlog::pattern_formatter>(
        "%Y-%m-%dT%H:%M:%S.%eZ %l saslatchd: %v", spdlog::pattern_time_type::utc));
  }
  return std::make_unique<SpdlogLog>(std::move(sink), level, journal);
}

std::unique_ptr<Log> make_syslog(LogLevel level) {
  auto sink = std::make_shared<spdlog::sinks::syslog_sink_mt>("saslatchd", LOG_PID, LOG_MAIL, true);
  sink->set_pattern("%v");
  return std::make_unique<SpdlogLog>(std::move(sink), level, false);
}

#ifdef SASLATCH_HAVE_SYSTEMD

class JournalLog final : public Log {
 public:
  explicit JournalLog(LogLevel level) : level_(level) {}

  void write(LogLevel level, std::string_view name, std::string_view text,
             std::initializer_list<LogField> fields) override {
    if (level < level_) return;
    std::vector<std::string> entries = {"MESSAGE=" + format_log_line(name, text, fields),
                                        "PRIORITY=" + std::to_string(syslog_priority(level)),
                                        "SYSLOG_IDENTIFIER=saslatchd",
                                        "SASLATCH_NAME=" + std::string(name)};
    // sd_journal_sendv carries any bytes, so values go as they are, within the bound.
    for (const LogField& field : fields) {
      std::string key = "SASLATCH_";
      for (const char c : field.key) {
        key += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c == '-' ? '_' : c;
      }
      entries.push_back(std::move(key) + '=' + field.value.substr(0, kMaxAuditString));
    }
    std::vector<iovec> vector;
    vector.reserve(entries.size());
    for (std::string& entry : entries) vector.push_back({entry.data(), entry.size()});
    sd_journal_sendv(vector.data(), static_cast<int>(vector.size()));
  }

 private:
  LogLevel level_;
};

Result<std::unique_ptr<Log>> make_journal(LogLevel level) {
  // sd_journal_sendv() drops a line without a word where no journal listens.
  if (access("/run/systemd/journal/socket", F_OK) != 0) return make_syslog(level);
  return std::make_unique<JournalLog>(level);
}

#else

Result<std::unique_ptr<Log>> make_journal(LogLevel) {
  return failure("this saslatchd was built without libsystemd; accepted: stderr, syslog");
}

#endif

}  // namespace

bool journal_is_supported() {
#ifdef SASLATCH_HAVE_SYSTEMD
  return true;
#else
  return false;
#endif
}

Result<std::unique_ptr<Log>> make_log(LogTarget target, LogLevel level) {
  switch (target) {
    case LogTarget::kStderr:
      return make_stderr(level);
    case LogTarget::kSyslog:
      return make_syslog(level);
    case LogTarget::kJournal:
      return make_journal(level);
  }
  return failure("no such log target");
}

std::string format_log_line(std::string_view name, std::string_view text,
                            std::initializer_list<LogField> fields) {
  std::string line(name);
  line += ": ";
  line += text;
  for (const LogField& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    append_log_value(field.value, line);
  }
  return line;
}

void append_log_value(std::string_view value, std::string& out) {
  bool bare = !value.empty() && value.size() <= kMaxAuditString;
  for (const char c : value) bare = bare && kBare[static_cast<uint8_t>(c)];
  if (bare) {
    out += value;
  } else {
    append_json_string(value, out);
  }
}

std::string_view to_string(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "";
}

}  // namespace saslatch
