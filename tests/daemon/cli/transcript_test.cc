// Plays tests/daemon/cli/transcripts: what an administrator types and what he sees.
//
//   # a comment; empty lines are free
//   == names a transcript; it has a directory and a configuration of its own
//   @ daemon | @ auth                    a daemon on the control socket; an auth server
//   @ login alice 203.0.113.9 wrong      a login is counted by the daemon
//   @ config LINE                        a line more in saslatch.conf
//   @ file NAME TEXT                     a file in the directory; \n in TEXT is a new line
//   @ reload error|warning|restart TEXT  what the next reload comes to
//   $ user add alice << secret\n         saslatch is run; what is behind << is its stdin
//   | a line on stdout
//   ! a line on stderr
//   = 64                                 its exit code
//
// DIR stands for the directory, the digits of times and durations in ms for any digits.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

#include "tests/daemon/cli/box.h"

namespace saslatch::cli {
namespace {

struct Step {
  std::string line;
  int number;
};

struct Transcript {
  std::string name;
  std::vector<Step> steps;
};

std::vector<Transcript> read_transcripts(const std::filesystem::path& path) {
  std::vector<Transcript> transcripts;
  std::ifstream in(path);
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    if (line.empty() || line[0] == '#') continue;
    if (line.rfind("== ", 0) == 0) {
      transcripts.push_back({line.substr(3), {}});
    } else {
      transcripts.back().steps.push_back({line, number});
    }
  }
  return transcripts;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

// Words between spaces; "..." is one word.
std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  std::string word;
  bool quoted = false, any = false;
  for (const char c : text) {
    if (c == '"') {
      quoted = !quoted;
      any = true;
    } else if (c == ' ' && !quoted) {
      if (any) words.push_back(std::exchange(word, {}));
      any = false;
    } else {
      word += c;
      any = true;
    }
  }
  if (any) words.push_back(word);
  return words;
}

// What differs from run to run, made the same. Columns keep their widths.
std::string masked(std::string text, const Box& box) {
  text = replaced(std::move(text), box.path(), "DIR");
  text = replaced(std::move(text), SASLATCH_VERSION, "VERSION");
  text = std::regex_replace(text, std::regex(R"(20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ)"),
                            "2000-00-00T00:00:00Z");
  text = std::regex_replace(text, std::regex(R"(\b[0-9a-z]{4}(-[0-9a-z]{4}){3}\b)"), "CODE");
  text = std::regex_replace(text, std::regex(R"("created_by": "[^"]*")"), R"("created_by": "ME")");
  text = std::regex_replace(text, std::regex(R"( *\b\d+\.\d ms)"), " 0.0 ms");
  text = std::regex_replace(text, std::regex(" +TIME "), " TIME ");
  return std::regex_replace(text, std::regex(R"("took_us": \d+)"), R"("took_us": 0)");
}

void append_lines(std::string& to, const std::string& text, const std::string& mark) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    to += mark + (line.empty() ? "" : " ") + line + "\n";
}

void arrange(const std::string& line, Box& box) {
  std::istringstream words(line);
  std::string what, first, second, third;
  words >> what;
  if (what == "daemon") {
    box.start_daemon();
  } else if (what == "auth") {
    box.start_auth_server();
  } else if (what == "login") {
    words >> first >> second >> third;
    box.login(first, second, third == "right");
  } else if (what == "config") {
    box.configure(replaced(line.substr(std::min<size_t>(7, line.size())), "DIR", box.path()));
  } else if (what == "file") {
    words >> first;
    box.write(first,
              replaced(replaced(line.substr(5 + first.size() + 1), "\\n", "\n"), "\\t", "\t"));
  } else if (what == "reload") {
    words >> first;
    const std::string text = line.substr(7 + first.size() + 1);
    control::ReloadReport report;
    (first == "error"     ? report.errors
     : first == "warning" ? report.warnings
                          : report.needs_restart)
        .push_back(text);
    box.plan_reload(std::move(report));
  } else {
    ADD_FAILURE() << "no arrangement of transcripts: " << line;
  }
}

// What the transcript would say of this run.
std::string perform(const std::string& line, const Box& box) {
  const size_t input = line.find(" << ");
  const std::string command = replaced(line.substr(0, input), "DIR", box.path());
  const std::string text =
      input == std::string::npos ? "" : replaced(line.substr(input + 4), "\\n", "\n");
  const Finished finished = box.saslatch(words_of(command), text);
  std::string seen = "$ " + line + "\n";
  append_lines(seen, masked(finished.out, box), "|");
  append_lines(seen, masked(finished.err, box), "!");
  return seen + "= " + std::to_string(finished.exit) + "\n";
}

void play(const Transcript& transcript) {
  Box box;
  for (size_t i = 0; i < transcript.steps.size();) {
    const Step& step = transcript.steps[i++];
    if (step.line.rfind("@ ", 0) == 0) {
      arrange(step.line.substr(2), box);
      continue;
    }
    ASSERT_EQ(step.line.substr(0, 2), "$ ") << "line " << step.number;
    std::string expected = step.line + "\n";
    while (i < transcript.steps.size() && transcript.steps[i].line[0] != '$' &&
           transcript.steps[i].line[0] != '@') {
      expected += transcript.steps[i++].line + "\n";
    }
    EXPECT_EQ(perform(step.line.substr(2), box), expected) << "line " << step.number;
  }
}

class Transcripts : public ::testing::TestWithParam<std::string> {};

TEST_P(Transcripts, AreWhatAnAdministratorSees) {
  const auto transcripts =
      read_transcripts(std::filesystem::path(SASLATCH_TESTS_DIR "/daemon/cli/transcripts") /
                       (GetParam() + ".transcript"));
  ASSERT_FALSE(transcripts.empty());
  for (const Transcript& transcript : transcripts) {
    SCOPED_TRACE(transcript.name);
    play(transcript);
  }
}

INSTANTIATE_TEST_SUITE_P(Cli, Transcripts,
                         ::testing::Values("usage", "user", "code", "import", "lock", "live",
                                           "test", "policy"),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace saslatch::cli
