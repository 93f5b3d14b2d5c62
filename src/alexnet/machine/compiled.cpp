// The parts of a training step that are no matrix product, for the CPU: what follows a convolution (ReLU, response
// normalisation, max pooling, in one pass each way), and the way from stored pictures to the network's input.
//
// Maps lie channels last: (picture, row, column, map). Values are float32 or bfloat16; all sums are float32.
// alexnet/machine/compiled.py compiles this file for the processor it runs on; nn/norm_compiled.py and
// data/view_compiled.py call it.

#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

namespace {

struct bfloat16 {
    uint16_t bits;
};

inline float widen(float value) { return value; }

inline float widen(bfloat16 value) {
    uint32_t bits = uint32_t(value.bits) << 16;
    float wide;
    std::memcpy(&wide, &bits, 4);
    return wide;
}

inline void narrow(float value, float &to) { to = value; }

// To the nearest, ties to even, as PyTorch does; NaN stays NaN.
inline void narrow(float value, bfloat16 &to) {
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    to.bits = uint16_t(value != value ? 0x7fc0u : rounded);
}

template <typename T> inline float rounded(float value) {
    T kept;
    narrow(value, kept);
    return widen(kept);
}

}  // namespace

// What follows a convolution, in this order; each may be left out. The same struct stands in alexnet/nn/norm_compiled.py.
struct Stage {
    int32_t threads, pictures, height, width, maps;
    int32_t relu;
    int32_t window, towers;             // of the normalisation; window 0: there is none
    int32_t within;                     // the window is a square in one map, not neighbouring maps; without a pool
    float alpha, beta, k;               // s = k + alpha * sum of squares; y = x * s^-beta
    int32_t kernel, stride, down, across;  // of the pool, and its positions; kernel 0: there is none
};

namespace {

// Sums over neighbouring maps, each tower by itself: what lies outside counts as zero. `padded` has window / 2 zeros
// on both sides.
template <int WINDOW> inline void window_sums(const float *padded, float *sums, int maps, int window) {
    const int width = WINDOW ? WINDOW : window;
    for (int i = 0; i < maps; i++) {
        float sum = 0;
        for (int j = 0; j < width; j++) sum += padded[i + j];
        sums[i] = sum;
    }
}

inline void sums_of(const float *padded, float *sums, int maps, int window) {
    if (window == 5)
        window_sums<5>(padded, sums, maps, window);
    else if (window == 9)  // cuda-convnet's
        window_sums<9>(padded, sums, maps, window);
    else
        window_sums<0>(padded, sums, maps, window);
}

// Room for the maps at one place.
struct Scratch {
    std::vector<float> x, g, padded, sums, scale;
    explicit Scratch(const Stage &stage)
        : x(stage.maps), g(stage.maps), padded(stage.maps + stage.window + 16), sums(stage.maps), scale(stage.maps) {}
};

// From sums of squares: s into their place, s^-beta into `scale`.
inline void powers(const Stage &stage, float *sums, float *scale, int count) {
    for (int i = 0; i < count; i++) sums[i] = stage.k + stage.alpha * sums[i];
    if (stage.beta == 0.75f)
        for (int i = 0; i < count; i++) {
            const float root = std::sqrt(sums[i]);
            scale[i] = 1.0f / (root * std::sqrt(root));
        }
    else
        for (int i = 0; i < count; i++) scale[i] = std::pow(sums[i], -stage.beta);
}

// s into `sums`, s^-beta into `scale`, for the maps at one place.
inline void scales(const Stage &stage, Scratch &room) {
    const int maps = stage.maps / stage.towers, half = stage.window / 2;
    for (int tower = 0; tower < stage.towers; tower++) {
        const float *x = room.x.data() + tower * maps;
        float *padded = room.padded.data(), *sums = room.sums.data() + tower * maps;
        for (int i = 0; i < maps; i++) padded[half + i] = x[i] * x[i];
        sums_of(padded, sums, maps, stage.window);
    }
    powers(stage, room.sums.data(), room.scale.data(), stage.maps);
}

template <typename T> inline void load(const Stage &stage, const T *from, float *to, int count) {
    if (stage.relu)
        for (int i = 0; i < count; i++) {
            const float value = widen(from[i]);
            to[i] = value < 0 ? 0 : value;  // NaN stays NaN
        }
    else
        for (int i = 0; i < count; i++) to[i] = widen(from[i]);
}

// ReLU and normalisation of the maps at one place.
template <typename T> inline void activate(const Stage &stage, const T *from, T *to, Scratch &room) {
    load(stage, from, room.x.data(), stage.maps);
    const float *x = room.x.data(), *scale = room.scale.data();
    if (stage.window) {
        scales(stage, room);
        for (int i = 0; i < stage.maps; i++) narrow(x[i] * scale[i], to[i]);
    } else
        for (int i = 0; i < stage.maps; i++) narrow(x[i], to[i]);
}

// From the gradient in room.g back to that of the convolution:
// dx = g s^-b - 2 a b x W(g x s^(-b-1)), and nothing where the ReLU was shut.
template <typename T> inline void pull_back(const Stage &stage, const T *from, T *to, Scratch &room) {
    load(stage, from, room.x.data(), stage.maps);
    float *x = room.x.data(), *g = room.g.data(), *scale = room.scale.data(), *sums = room.sums.data();
    if (stage.window) {
        scales(stage, room);
        const int maps = stage.maps / stage.towers, half = stage.window / 2;
        for (int tower = 0; tower < stage.towers; tower++) {
            const int first = tower * maps;
            float *padded = room.padded.data();
            for (int i = 0; i < maps; i++)
                padded[half + i] = g[first + i] * x[first + i] * scale[first + i] / sums[first + i];
            sums_of(padded, sums + first, maps, stage.window);
        }
        const float factor = 2 * stage.alpha * stage.beta;
        for (int i = 0; i < stage.maps; i++) g[i] = g[i] * scale[i] - factor * x[i] * sums[i];
    }
    if (stage.relu)
        for (int i = 0; i < stage.maps; i++) narrow(x[i] > 0 ? g[i] : 0.0f, to[i]);
    else
        for (int i = 0; i < stage.maps; i++) narrow(g[i], to[i]);
}

// The greatest value in each window and its place there (kernel row * kernel + kernel column); the first of equals.
// Maps are taken by lanes, whose values stay in registers for the whole window.
constexpr int LANES = 32;

template <int COUNT, typename T>
inline void pool_lanes(const Stage &stage, const T *const *rows, int height, int left, int width, int first, T *to,
                       uint8_t *where) {
    float best[COUNT], place[COUNT];
    for (int i = 0; i < COUNT; i++) best[i] = -INFINITY, place[i] = 0;
    for (int row = 0; row < height; row++)
        for (int column = 0; column < width; column++) {
            const T *from = rows[row] + size_t(left + column) * stage.maps + first;
            const float here = float(row * stage.kernel + column);
            for (int i = 0; i < COUNT; i++) {
                const float value = widen(from[i]);
                const bool more = (value > best[i]) | (value != value);
                best[i] = more ? value : best[i];
                place[i] = more ? here : place[i];
            }
        }
    for (int i = 0; i < COUNT; i++) narrow(best[i], to[first + i]);
    for (int i = 0; i < COUNT; i++) where[first + i] = uint8_t(int(place[i]));
}

template <typename T>
inline void pool_place(const Stage &stage, const T *const *rows, int height, int left, int width, T *to,
                       uint8_t *where) {
    int first = 0;
    for (; first + LANES <= stage.maps; first += LANES)
        pool_lanes<LANES>(stage, rows, height, left, width, first, to, where);
    for (; first < stage.maps; first++) pool_lanes<1>(stage, rows, height, left, width, first, to, where);
}

inline int at_most(int value, int limit) { return value < limit ? value : limit; }

// Some maps of one picture, for sums within each.
constexpr int BLOCK = 32;

struct Planes {
    std::vector<float> x, g, across, sums, scale;
    explicit Planes(size_t values) : x(values), g(values), across(values), sums(values), scale(values) {}
};

// Sums over a square about each place of each map, along rows and then along columns; outside counts as zero.
inline void square_sums(const Stage &stage, const float *values, float *across, float *sums, int maps) {
    const int half = stage.window / 2, line = stage.width * maps;
    for (int row = 0; row < stage.height; row++)
        for (int column = 0; column < stage.width; column++) {
            float *to = across + row * line + column * maps;
            for (int i = 0; i < maps; i++) to[i] = 0;
            const int first = column > half ? column - half : 0, last = at_most(column + half, stage.width - 1);
            for (int at = first; at <= last; at++) {
                const float *from = values + row * line + at * maps;
                for (int i = 0; i < maps; i++) to[i] += from[i];
            }
        }
    for (int row = 0; row < stage.height; row++) {
        float *to = sums + row * line;
        for (int i = 0; i < line; i++) to[i] = 0;
        const int first = row > half ? row - half : 0, last = at_most(row + half, stage.height - 1);
        for (int at = first; at <= last; at++)
            for (int i = 0; i < line; i++) to[i] += across[at * line + i];
    }
}

// ReLU and normalisation within maps, of `maps` maps of a picture from `first` on; s and s^-beta are left in `room`.
template <typename T> inline void load_planes(const Stage &stage, const T *from, int first, int maps, Planes &room) {
    const int places = stage.height * stage.width;
    for (int place = 0; place < places; place++)
        load(stage, from + size_t(place) * stage.maps + first, room.x.data() + place * maps, maps);
    for (int i = 0; i < places * maps; i++) room.scale[i] = room.x[i] * room.x[i];
    square_sums(stage, room.scale.data(), room.across.data(), room.sums.data(), maps);
    powers(stage, room.sums.data(), room.scale.data(), places * maps);
}

template <typename T> void forward_within(const Stage &stage, const T *x, T *y) {
    const size_t places = size_t(stage.height) * stage.width, picture_values = places * stage.maps;
#pragma omp parallel num_threads(stage.threads)
    {
        Planes room(places * BLOCK);
#pragma omp for schedule(static)
        for (int picture = 0; picture < stage.pictures; picture++)
            for (int first = 0; first < stage.maps; first += BLOCK) {
                const int maps = at_most(BLOCK, stage.maps - first);
                load_planes(stage, x + picture * picture_values, first, maps, room);
                for (size_t place = 0; place < places; place++) {
                    T *to = y + picture * picture_values + place * stage.maps + first;
                    for (int i = 0; i < maps; i++) narrow(room.x[place * maps + i] * room.scale[place * maps + i], to[i]);
                }
            }
    }
}

template <typename T> void backward_within(const Stage &stage, const T *x, const T *g, T *dx) {
    const size_t places = size_t(stage.height) * stage.width, picture_values = places * stage.maps;
    const float factor = 2 * stage.alpha * stage.beta;
#pragma omp parallel num_threads(stage.threads)
    {
        Planes room(places * BLOCK);
#pragma omp for schedule(static)
        for (int picture = 0; picture < stage.pictures; picture++)
            for (int first = 0; first < stage.maps; first += BLOCK) {
                const int maps = at_most(BLOCK, stage.maps - first);
                const size_t start = picture * picture_values + first;
                load_planes(stage, x + picture * picture_values, first, maps, room);
                float *values = room.x.data(), *pulled = room.g.data(), *scale = room.scale.data();
                for (size_t place = 0; place < places; place++)
                    for (int i = 0; i < maps; i++) {
                        const size_t at = place * maps + i;
                        pulled[at] = widen(g[start + place * stage.maps + i]) * scale[at];
                        scale[at] = pulled[at] * values[at] / room.sums[at];  // what the window gathers
                    }
                square_sums(stage, scale, room.across.data(), room.sums.data(), maps);
                for (size_t place = 0; place < places; place++)
                    for (int i = 0; i < maps; i++) {
                        const size_t at = place * maps + i;
                        const float back = pulled[at] - factor * values[at] * room.sums[at];
                        narrow(stage.relu && !(values[at] > 0) ? 0.0f : back, dx[start + place * stage.maps + i]);
                    }
            }
    }
}

template <typename T> void forward(const Stage &stage, const T *x, T *y, uint8_t *where) {
    if (stage.within && stage.window) return forward_within(stage, x, y);
    const size_t row = size_t(stage.width) * stage.maps, out_row = size_t(stage.across) * stage.maps;
#pragma omp parallel num_threads(stage.threads)
    {
        Scratch room(stage);
        // Rows that the pool still needs: each is computed once, and read while it lies in the cache.
        std::vector<T> kept(stage.kernel * row);
        std::vector<const T *> rows(stage.kernel + 1);
#pragma omp for schedule(static)
        for (int picture = 0; picture < stage.pictures; picture++) {
            const T *from = x + picture * stage.height * row;
            if (!stage.kernel) {
                T *to = y + picture * stage.height * row;
                for (int place = 0; place < stage.height * stage.width; place++)
                    activate(stage, from + size_t(place) * stage.maps, to + size_t(place) * stage.maps, room);
                continue;
            }
            int done = 0;
            for (int out = 0; out < stage.down; out++) {
                const int top = out * stage.stride, height = at_most(stage.kernel, stage.height - top);
                if (done < top) done = top;
                for (; done < top + height; done++)
                    for (int column = 0; column < stage.width; column++)
                        activate(stage, from + done * row + size_t(column) * stage.maps,
                                 kept.data() + (done % stage.kernel) * row + size_t(column) * stage.maps, room);
                for (int i = 0; i < height; i++) rows[i] = kept.data() + ((top + i) % stage.kernel) * row;
                for (int across = 0; across < stage.across; across++) {
                    const size_t to = (size_t(picture) * stage.down + out) * out_row + size_t(across) * stage.maps;
                    const int left = across * stage.stride, width = at_most(stage.kernel, stage.width - left);
                    pool_place(stage, rows.data(), height, left, width, y + to, where + to);
                }
            }
        }
    }
}

// Give each window's gradient to the place that its greatest value came from.
template <typename T>
inline void unpool_place(const Stage &stage, float *const *rows, int height, int left, int width, const T *from,
                         const uint8_t *where) {
    for (int row = 0; row < height; row++)
        for (int column = 0; column < width; column++) {
            float *to = rows[row] + size_t(left + column) * stage.maps;
            const uint8_t place = uint8_t(row * stage.kernel + column);
            for (int i = 0; i < stage.maps; i++) to[i] += where[i] == place ? widen(from[i]) : 0.0f;
        }
}

template <typename T> void backward(const Stage &stage, const T *x, const T *g, const uint8_t *where, T *dx) {
    if (stage.within && stage.window) return backward_within(stage, x, g, dx);
    const size_t row = size_t(stage.width) * stage.maps, out_row = size_t(stage.across) * stage.maps;
#pragma omp parallel num_threads(stage.threads)
    {
        Scratch room(stage);
        std::vector<float> kept(stage.kernel * row);  // gradients of rows that more windows may reach
        std::vector<float *> rows(stage.kernel + 1);
#pragma omp for schedule(static)
        for (int picture = 0; picture < stage.pictures; picture++) {
            const size_t start = picture * stage.height * row;
            if (!stage.kernel) {
                for (size_t at = start; at < start + stage.height * row; at += stage.maps) {
                    for (int i = 0; i < stage.maps; i++) room.g[i] = widen(g[at + i]);
                    pull_back(stage, x + at, dx + at, room);
                }
                continue;
            }
            std::memset(kept.data(), 0, kept.size() * 4);
            int finished = 0;
            for (int out = 0; out <= stage.down; out++) {
                // No window from here on reaches the rows above its top.
                const int until = out < stage.down ? at_most(out * stage.stride, stage.height) : stage.height;
                for (; finished < until; finished++) {
                    float *gradients = kept.data() + (finished % stage.kernel) * row;
                    for (int column = 0; column < stage.width; column++) {
                        const size_t at = start + finished * row + size_t(column) * stage.maps;
                        std::memcpy(room.g.data(), gradients + size_t(column) * stage.maps, stage.maps * 4);
                        pull_back(stage, x + at, dx + at, room);
                    }
                    std::memset(gradients, 0, row * 4);
                }
                if (out == stage.down) break;
                const int top = out * stage.stride, height = at_most(stage.kernel, stage.height - top);
                for (int i = 0; i < height; i++) rows[i] = kept.data() + ((top + i) % stage.kernel) * row;
                for (int across = 0; across < stage.across; across++) {
                    const size_t at = (size_t(picture) * stage.down + out) * out_row + size_t(across) * stage.maps;
                    const int left = across * stage.stride, width = at_most(stage.kernel, stage.width - left);
                    unpool_place(stage, rows.data(), height, left, width, g + at, where + at);
                }
            }
        }
    }
}

}  // namespace

// How pictures reach the network. The same struct stands in alexnet/data/view_compiled.py.
struct Views {
    int32_t threads, pictures, source, side;
    int32_t mean_is_image;  // else one colour
    int32_t divide;         // whether `divisors` are used
};

namespace {

// Source pixels that one output pixel is made of, and their parts: a triangle around its place, normalised.
constexpr int MOST_TAPS = 64;

struct Taps {
    int first, count;
    float parts[MOST_TAPS];
};

inline void find_taps(double place, double reach, int source, Taps &taps) {
    int at = int(std::ceil(place - reach)), last = int(std::floor(place + reach));
    at = at < 0 ? 0 : at;
    last = last > source - 1 ? source - 1 : last;
    taps.count = 0;
    float sum = 0;
    for (; at <= last && taps.count < MOST_TAPS; at++) {
        const double part = 1 - std::fabs(place - at) / reach;
        if (part <= 0) continue;
        if (taps.count == 0) taps.first = at;
        sum += taps.parts[taps.count++] = float(part);
    }
    for (int i = 0; i < taps.count; i++) taps.parts[i] /= sum;
}

// One row of the view, by columns still those of the store: the rows that it is made of, less the mean, and weighed.
inline void blend_rows(const Views &job, const uint8_t *pixels, const float *mean, const Taps &down, int low, int high,
                       float *across) {
    const int line = job.source * 3;
    for (int tap = 0; tap < down.count; tap++) {
        const size_t at = size_t(down.first + tap) * line;
        const uint8_t *from = pixels + at;
        const float part = down.parts[tap];
        const float *less = job.mean_is_image ? mean + at : mean;  // a colour is repeated for a whole line
        if (tap == 0)
            for (int i = low * 3; i < high * 3; i++) across[i] = part * (float(from[i]) - less[i]);
        else
            for (int i = low * 3; i < high * 3; i++) across[i] += part * (float(from[i]) - less[i]);
    }
}

inline void blend_columns(const std::vector<Taps> &taps, const float *across, float *row) {
    for (size_t column = 0; column < taps.size(); column++) {
        const Taps &tap = taps[column];
        const float *from = across + tap.first * 3;
        float *to = row + column * 3;
        const float part = tap.parts[0];
        to[0] = part * from[0], to[1] = part * from[1], to[2] = part * from[2];
        for (int i = 1; i < tap.count; i++)
            for (int c = 0; c < 3; c++) to[c] += tap.parts[i] * from[i * 3 + c];
    }
}

template <typename T>
void views(const Views &job, const uint8_t *pictures, const float *mean, const double *rows, const double *columns,
           const double *row_reach, const double *column_reach, const float *middle, const float *shifts,
           const float *divisors, const float *factors, T *to) {
    const int source = job.source, side = job.side, line = source * 3, width = side * 3;
    std::vector<float> factor(width), means(job.mean_is_image ? 0 : line);
    for (int i = 0; i < width; i++) factor[i] = factors[i % 3];
    for (size_t i = 0; i < means.size(); i++) means[i] = mean[i % 3];
    const float *less = job.mean_is_image ? mean : means.data();
#pragma omp parallel num_threads(job.threads)
    {
        std::vector<float> across(line), row(width), shift(width);
        std::vector<Taps> taps(side);
        Taps down;
#pragma omp for schedule(static)
        for (int picture = 0; picture < job.pictures; picture++) {
            int low = source, high = 0;
            for (int column = 0; column < side; column++) {
                find_taps(columns[size_t(picture) * side + column], column_reach[picture], source, taps[column]);
                const int first = taps[column].first, end = first + taps[column].count;
                low = first < low ? first : low;
                high = end > high ? end : high;
            }
            for (int i = 0; i < width; i++) shift[i] = shifts[picture * 3 + i % 3];
            for (int at = 0; at < side; at++) {
                find_taps(rows[size_t(picture) * side + at], row_reach[picture], source, down);
                blend_rows(job, pictures + size_t(picture) * source * line, less, down, low, high, across.data());
                blend_columns(taps, across.data(), row.data());
                if (middle)
                    for (int i = 0; i < width; i++) row[i] -= middle[size_t(at) * width + i];
                for (int i = 0; i < width; i++) row[i] += shift[i];
                if (job.divide)
                    for (int i = 0; i < width; i++) row[i] /= divisors[picture];
                T *out = to + (size_t(picture) * side + at) * width;
                for (int i = 0; i < width; i++) narrow(row[i] * factor[i], out[i]);
            }
        }
    }
}

}  // namespace

extern "C" {

void forward_float32(const Stage *stage, const float *x, float *y, uint8_t *where) { forward(*stage, x, y, where); }

void forward_bfloat16(const Stage *stage, const bfloat16 *x, bfloat16 *y, uint8_t *where) {
    forward(*stage, x, y, where);
}

void backward_float32(const Stage *stage, const float *x, const float *g, const uint8_t *where, float *dx) {
    backward(*stage, x, g, where, dx);
}

void backward_bfloat16(const Stage *stage, const bfloat16 *x, const bfloat16 *g, const uint8_t *where, bfloat16 *dx) {
    backward(*stage, x, g, where, dx);
}

void views_float32(const Views *job, const uint8_t *pictures, const float *mean, const double *rows,
                   const double *columns, const double *row_reach, const double *column_reach, const float *middle,
                   const float *shifts, const float *divisors, const float *factors, float *to) {
    views(*job, pictures, mean, rows, columns, row_reach, column_reach, middle, shifts, divisors, factors, to);
}

void views_bfloat16(const Views *job, const uint8_t *pictures, const float *mean, const double *rows,
                    const double *columns, const double *row_reach, const double *column_reach, const float *middle,
                    const float *shifts, const float *divisors, const float *factors, bfloat16 *to) {
    views(*job, pictures, mean, rows, columns, row_reach, column_reach, middle, shifts, divisors, factors, to);
}
}
