# eddy: the short way in. CMake does the work; this says what to type.
#
#   make            install what is missing, configure, build everything into build/bin
#   make run        serve the example on http://127.0.0.1:8000   (PORT= BACKEND= UPSTREAM=)
#   make test       build, run every test, say how many passed   (TESTS=regex for some of them)
#   make check      what must hold before a change lands: format, layers, both compilers, tidy,
#                   sanitizers, faults, seeds   (STEPS="format tidy" for some of them)
#   make format     lay every file out as .clang-format says
#   make soak       the long run: every fault, thousands of seeds   (MINUTES=)
#   make bench      the figures of bench/README.md
#   make install    PREFIX=/usr/local DESTDIR=
#   make clean      remove build/

PORT ?= 8000
BACKEND ?=
UPSTREAM ?=
MINUTES ?= 30
STEPS ?=
TESTS ?=
PREFIX ?= /usr/local
DESTDIR ?=
WERROR ?=

.SILENT:
.PHONY: all deps configure build run test check format soak bench install clean

all: build
	echo "eddy: built into build/bin"

deps:
	scripts/deps

configure: deps
	tools/configure release build $(if $(WERROR),-DEDDY_WERROR=$(WERROR)) \
		$(if $(filter command line,$(origin PREFIX)),-DCMAKE_INSTALL_PREFIX=$(PREFIX))

build: configure
	tools/build build all

run: configure
	tools/build build programs
	echo "eddy: serving the example on http://127.0.0.1:$(PORT) (Ctrl-C stops it)"
	exec env PORT='$(PORT)' BACKEND='$(BACKEND)' UPSTREAM='$(UPSTREAM)' build/bin/examples/front

test:
	scripts/deps --test
	tools/configure release build $(if $(WERROR),-DEDDY_WERROR=$(WERROR))
	tools/build build all
	echo "eddy: running the tests"
	tools/test-run build $(if $(TESTS),-R '$(TESTS)')

check:
	scripts/deps --check
	tools/check $(STEPS)

format:
	scripts/deps --check
	clang-format -i $$(find src include tests bench examples tour -name '*.[ch]' 2>/dev/null)

soak:
	scripts/deps --check
	tools/soak $(MINUTES)

bench: build
	scripts/deps --bench
	if [ -x bench/run ]; then exec bench/run; else echo "eddy: bench/run is not there yet"; exit 1; fi

install: build
	echo "eddy: installing into $(DESTDIR)$(PREFIX)"
	DESTDIR='$(DESTDIR)' cmake --install build --prefix '$(PREFIX)' >build/install.log
	$(if $(DESTDIR),,echo "eddy: if programs do not find libeddy.so, run ldconfig")

clean:
	echo "eddy: removing build/"
	rm -rf build
