#include "daemon/replay/source.h"

#include <algorithm>
#include <boost/iostreams/filter/gzip.hpp>
#include <boost/iostreams/filter/lzma.hpp>
#include <boost/iostreams/filter/zstd.hpp>
#include <boost/iostreams/filtering_stream.hpp>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <utility>

namespace saslatch::replay {
namespace {

namespace io = boost::iostreams;

// Room for a longest line and a good read behind it.
constexpr size_t kChunk = size_t{256} * 1024;
constexpr size_t kBuffer = kMaxLine + kChunk;

// What a damaged file loses besides what is damaged: the decompressors give a piece or throw.
constexpr size_t kPiece = size_t{16} * 1024;

// Lines that are looked at for the first time stamp of a file.
constexpr int kFirstLines = 1000;

constexpr std::string_view kGzip = "\x1f\x8b";
constexpr std::string_view kXz(
    "\xfd"
    "7zXZ\0",
    6);
constexpr std::string_view kZstd = "\x28\xb5\x2f\xfd";

}  // namespace

struct LineFile::Streams {
  std::ifstream file;
  std::istream* raw = nullptr;  // `file`, or std::cin
  io::filtering_istream filtered;
  std::istream* in = nullptr;  // `raw` or `filtered`
};

LineFile::LineFile(std::unique_ptr<Streams> streams)
    : streams_(std::move(streams)), buffer_(kBuffer) {}
LineFile::~LineFile() = default;

saslatch::Result<std::unique_ptr<LineFile>> LineFile::open(const std::string& path) {
  auto streams = std::make_unique<Streams>();
  if (path == "-") {
    streams->raw = &std::cin;
  } else {
    streams->file.open(path, std::ios::binary);
    if (!streams->file) return failure(path + ": " + std::strerror(errno));
    streams->raw = &streams->file;
  }
  // The first bytes must be put back, and a pipe cannot seek: so they are asked of a peeked buffer.
  std::istream& raw = *streams->raw;
  char first[6] = {};
  raw.read(first, sizeof first);
  const auto many = static_cast<size_t>(raw.gcount());
  if (raw.bad()) return failure(path + ": " + std::strerror(errno));
  raw.clear();
  for (size_t i = many; i-- > 0;) raw.putback(first[i]);
  if (!raw) return failure(path + ": cannot be read");
  const std::string_view magic(first, many);
  if (magic.starts_with(kGzip)) {
    streams->filtered.push(io::gzip_decompressor(io::zlib::default_window_bits, kPiece));
  } else if (magic.starts_with(kXz)) {
    streams->filtered.push(io::lzma_decompressor(kPiece));
  } else if (magic.starts_with(kZstd)) {
    streams->filtered.push(io::zstd_decompressor(kPiece));
  }
  if (streams->filtered.empty()) {
    streams->in = streams->raw;
  } else {
    streams->filtered.push(raw, kChunk);
    streams->filtered.exceptions(std::ios::badbit);  // they say what is wrong
    streams->in = &streams->filtered;
  }
  return std::unique_ptr<LineFile>(new LineFile(std::move(streams)));
}

// Reads on behind what is in the buffer. False: there is no more.
bool LineFile::fill() {
  if (at_end_) return false;
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  std::istream& in = *streams_->in;
  const size_t room = std::min(kBuffer - end_, streams_->filtered.empty() ? kBuffer : kPiece);
  std::streamsize many = 0;
  try {
    in.read(buffer_.data() + end_, static_cast<std::streamsize>(room));
    many = in.gcount();
  } catch (const std::exception& error) {
    damage_ = error.what();
    at_end_ = true;
  }
  if (!in) at_end_ = true;
  if (streams_->raw->bad() && damage_.empty()) damage_ = "a read error";
  end_ += static_cast<size_t>(many);
  return many > 0;
}

LineFile::Line LineFile::next(std::string_view& text) {
  ++number_;
  size_t searched = 0;
  bool too_long = false;
  for (;;) {
    const char* begin = buffer_.data() + begin_;
    const void* found = std::memchr(begin + searched, '\n', end_ - begin_ - searched);
    if (found != nullptr) {
      const auto length = static_cast<size_t>(static_cast<const char*>(found) - begin);
      begin_ += length + 1;
      if (too_long) return Line::kTooLong;
      text = {begin, length};
      return length > kMaxLine ? Line::kTooLong : Line::kWhole;
    }
    searched = end_ - begin_;
    if (searched > kMaxLine) {  // what is beyond is skipped as it comes
      if (!too_long) text = {};
      too_long = true;
      begin_ = end_;
      searched = 0;
    }
    if (!fill()) break;
  }
  if (too_long) return Line::kTooLong;
  if (begin_ == end_) {
    --number_;
    return Line::kEnd;
  }
  text = {buffer_.data() + begin_, end_ - begin_};
  begin_ = end_;
  return Line::kCutOff;
}

uint64_t LineFile::bytes_read() const {
  if (!streams_->file.is_open()) return 0;
  streams_->file.clear(streams_->file.rdstate() & ~std::ios::failbit & ~std::ios::eofbit);
  const auto at = streams_->file.tellg();
  return at < 0 ? 0 : static_cast<uint64_t>(at);
}

saslatch::Result<std::unique_ptr<FactStream>> FactStream::open(const std::vector<File>& files,
                                                               Format format, Zone& zone) {
  std::unique_ptr<FactStream> stream(new FactStream(format, zone));
  bool all_sizes = true;
  for (const File& file : files) {
    Source source;
    source.file = file;
    source.index = static_cast<uint32_t>(stream->reports_.size());
    stream->reports_.emplace_back().path = file.path == "-" ? "standard input" : file.path;
    all_sizes = all_sizes && file.bytes > 0;
    stream->bytes_in_all_ += file.bytes;
    auto lines = stream->look_at(source);
    if (!lines) return tl::unexpected(lines.error());
    stream->waiting_.push_back(std::move(source));
  }
  if (!all_sizes) stream->bytes_in_all_ = 0;
  std::stable_sort(stream->waiting_.begin(), stream->waiting_.end(),
                   [](const Source& a, const Source& b) { return a.first > b.first; });
  return stream;
}

// Finds the time of the file's first line. Standard input cannot be read twice: it is taken to
// begin before all others, and stays in order with them as its lines come.
saslatch::Result<std::unique_ptr<LineFile>> FactStream::look_at(Source& source) {
  source.first = Time::min();
  if (source.file.path == "-") return std::unique_ptr<LineFile>();
  auto lines = LineFile::open(source.file.path);
  if (!lines) return lines;
  const LineReader reader(format_, zone_, source.file.written);
  std::string_view text;
  for (int i = 0; i < kFirstLines; ++i) {
    const LineFile::Line line = (*lines)->next(text);
    if (line == LineFile::Line::kEnd) break;
    if (line != LineFile::Line::kWhole) continue;
    if (const auto at = reader.time_of(text)) {
      source.first = *at;
      break;
    }
  }
  return std::unique_ptr<LineFile>();
}

// Opens the file and reads its first fact. False: it has none.
bool FactStream::start(Source& source) {
  auto lines = LineFile::open(source.file.path);
  if (!lines) {  // it was there a moment ago
    reports_[source.index].damage = lines.error().message;
    return false;
  }
  source.lines = std::move(*lines);
  source.reader = std::make_unique<LineReader>(format_, zone_, source.file.written);
  return advance(source);
}

bool FactStream::advance(Source& source) {
  FileReport& report = reports_[source.index];
  std::string_view text;
  for (;;) {
    const LineFile::Line line = source.lines->next(text);
    if (line == LineFile::Line::kEnd) break;
    ++report.lines;
    LineResult result = Unusable::kTooLong;
    if (line != LineFile::Line::kTooLong) result = source.reader->read(text);
    // A name that is cut off would be another name. JSON shows that it is whole.
    if (line == LineFile::Line::kCutOff && !(text.starts_with('{') && text.ends_with('}')))
      result = Unusable::kCutOff;
    if (auto* fact = std::get_if<Fact>(&result)) {
      ++report.facts;
      source.head = std::move(*fact);
      source.head_line = source.lines->number();
      return true;
    }
    leftovers_.add(std::get<Unusable>(result), report.path, source.lines->number(), text);
  }
  close(source);
  return false;
}

void FactStream::close(Source& source) {
  FileReport& report = reports_[source.index];
  report.damage = source.lines->damage();
  report.guessed_year = source.reader->guessed_year();
  report.used_zone = source.reader->used_zone();
  report.beyond_written = source.reader->beyond_written();
  bytes_closed_ += source.file.bytes;
  source.lines.reset();
}

bool FactStream::next(Located& located) {
  const auto earliest = [&] {
    return std::min_element(active_.begin(), active_.end(), [](const Source& a, const Source& b) {
      return std::pair(a.head.at, a.index) < std::pair(b.head.at, b.index);
    });
  };
  auto source = earliest();
  while (!waiting_.empty() &&
         (source == active_.end() || waiting_.back().first <= source->head.at)) {
    Source fresh = std::move(waiting_.back());
    waiting_.pop_back();
    if (start(fresh)) active_.push_back(std::move(fresh));
    source = earliest();
  }
  if (source == active_.end()) return false;
  located.fact = std::move(source->head);
  located.file = source->index;
  located.line = source->head_line;
  if (!advance(*source)) active_.erase(source);
  return true;
}

uint64_t FactStream::bytes_read() const {
  uint64_t bytes = bytes_closed_;
  for (const Source& source : active_) bytes += source.lines->bytes_read();
  return bytes;
}

}  // namespace saslatch::replay
