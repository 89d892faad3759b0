;; Adafactor's arithmetic (see adafactor.ts), four float32 at a time where a row has as many.
;; Pointers are byte offsets into the memory; a row of C elements need not fill a register.
;; Sums are float64 in an order that follows from the sizes alone.
(module
  (import "state" "memory" (memory 1 65536 shared))

  ;; For a block of rows, g = gradient × scale:
  ;;   row[r] = β row[r] + rate × mean over c of (g² + ε)
  ;;   partial[c] = Σ over the block's rows of (g² + ε)
  (func (export "adafactor_rows")
    (param $g i32) (param $row i32) (param $partial i32) (param $rows i32) (param $columns i32)
    (param $scale f32) (param $epsilon f32) (param $beta2 f32) (param $rate f32)
    (local $left i32) (local $to i32) (local $sum v128) (local $rest f64)
    (local $x v128) (local $low v128) (local $high v128) (local $s f32) (local $d f64)
    (memory.fill (local.get $partial) (i32.const 0) (i32.shl (local.get $columns) (i32.const 3)))
    (block $done
      (loop $nextrow
        (br_if $done (i32.eqz (local.get $rows)))
        (local.set $left (local.get $columns))
        (local.set $to (local.get $partial))
        (local.set $sum (v128.const f64x2 0 0))
        (local.set $rest (f64.const 0))
        (block $few
          (loop $next
            (br_if $few (i32.lt_u (local.get $left) (i32.const 4)))
            (local.set $x
              (f32x4.mul (v128.load (local.get $g)) (f32x4.splat (local.get $scale))))
            (local.set $x
              (f32x4.add
                (f32x4.mul (local.get $x) (local.get $x))
                (f32x4.splat (local.get $epsilon))))
            (local.set $low (f64x2.promote_low_f32x4 (local.get $x)))
            (local.set $high
              (f64x2.promote_low_f32x4
                (i8x16.shuffle 8 9 10 11 12 13 14 15 0 1 2 3 4 5 6 7
                  (local.get $x) (local.get $x))))
            (local.set $sum
              (f64x2.add
                (local.get $sum)
                (f64x2.add (local.get $low) (local.get $high))))
            (v128.store
              (local.get $to)
              (f64x2.add (v128.load (local.get $to)) (local.get $low)))
            (v128.store offset=16
              (local.get $to)
              (f64x2.add (v128.load offset=16 (local.get $to)) (local.get $high)))
            (local.set $g (i32.add (local.get $g) (i32.const 16)))
            (local.set $to (i32.add (local.get $to) (i32.const 32)))
            (local.set $left (i32.sub (local.get $left) (i32.const 4)))
            (br $next)))
        (block $none
          (loop $next
            (br_if $none (i32.eqz (local.get $left)))
            (local.set $s (f32.mul (f32.load (local.get $g)) (local.get $scale)))
            (local.set $s
              (f32.add (f32.mul (local.get $s) (local.get $s)) (local.get $epsilon)))
            (local.set $d (f64.promote_f32 (local.get $s)))
            (local.set $rest (f64.add (local.get $rest) (local.get $d)))
            (f64.store
              (local.get $to)
              (f64.add (f64.load (local.get $to)) (local.get $d)))
            (local.set $g (i32.add (local.get $g) (i32.const 4)))
            (local.set $to (i32.add (local.get $to) (i32.const 8)))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br $next)))
        (f32.store
          (local.get $row)
          (f32.add
            (f32.mul (f32.load (local.get $row)) (local.get $beta2))
            (f32.mul
              (f32.demote_f64
                (f64.div
                  (f64.add
                    (f64.add
                      (f64x2.extract_lane 0 (local.get $sum))
                      (f64x2.extract_lane 1 (local.get $sum)))
                    (local.get $rest))
                  (f64.convert_i32_u (local.get $columns))))
              (local.get $rate))))
        (local.set $row (i32.add (local.get $row) (i32.const 4)))
        (local.set $rows (i32.sub (local.get $rows) (i32.const 1)))
        (br $nextrow))))

  ;; column[c] = β column[c] + rate × (Σ over blocks of partial[block, c]) / rows
  ;; factor[c] = 1 / √column[c]
  (func (export "adafactor_columns")
    (param $partial i32) (param $column i32) (param $factor i32)
    (param $blocks i32) (param $columns i32) (param $rows i32)
    (param $beta2 f32) (param $rate f32)
    (local $left i32) (local $from i32) (local $stride i32) (local $count i32)
    (local $sum f64) (local $v f32)
    (local.set $stride (i32.shl (local.get $columns) (i32.const 3)))
    (local.set $left (local.get $columns))
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $left)))
        (local.set $sum (f64.const 0))
        (local.set $from (local.get $partial))
        (local.set $count (local.get $blocks))
        (block $summed
          (loop $block
            (br_if $summed (i32.eqz (local.get $count)))
            (local.set $sum (f64.add (local.get $sum) (f64.load (local.get $from))))
            (local.set $from (i32.add (local.get $from) (local.get $stride)))
            (local.set $count (i32.sub (local.get $count) (i32.const 1)))
            (br $block)))
        (local.set $v
          (f32.add
            (f32.mul (f32.load (local.get $column)) (local.get $beta2))
            (f32.mul
              (f32.demote_f64
                (f64.div (local.get $sum) (f64.convert_i32_u (local.get $rows))))
              (local.get $rate))))
        (f32.store (local.get $column) (local.get $v))
        (f32.store (local.get $factor) (f32.div (f32.const 1) (f32.sqrt (local.get $v))))
        (local.set $partial (i32.add (local.get $partial) (i32.const 8)))
        (local.set $column (i32.add (local.get $column) (i32.const 4)))
        (local.set $factor (i32.add (local.get $factor) (i32.const 4)))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br $next))))

  ;; *square = Σ u² over a block of rows, u = (1 / √(row / mean) × factor) × (g × scale)
  (func (export "adafactor_squares")
    (param $g i32) (param $row i32) (param $factors i32) (param $rows i32) (param $columns i32)
    (param $scale f32) (param $mean f32) (param $square i32)
    (local $left i32) (local $factor i32) (local $sum v128) (local $rest f64)
    (local $r f32) (local $u v128) (local $s f64) (local $low v128) (local $high v128)
    (block $done
      (loop $nextrow
        (br_if $done (i32.eqz (local.get $rows)))
        (local.set $left (local.get $columns))
        (local.set $factor (local.get $factors))
        (local.set $r
          (f32.div
            (f32.const 1)
            (f32.sqrt (f32.div (f32.load (local.get $row)) (local.get $mean)))))
        (block $few
          (loop $next
            (br_if $few (i32.lt_u (local.get $left) (i32.const 4)))
            (local.set $u
              (f32x4.mul
                (f32x4.mul (f32x4.splat (local.get $r)) (v128.load (local.get $factor)))
                (f32x4.mul (v128.load (local.get $g)) (f32x4.splat (local.get $scale)))))
            (local.set $low (f64x2.promote_low_f32x4 (local.get $u)))
            (local.set $high
              (f64x2.promote_low_f32x4
                (i8x16.shuffle 8 9 10 11 12 13 14 15 0 1 2 3 4 5 6 7
                  (local.get $u) (local.get $u))))
            (local.set $sum
              (f64x2.add
                (local.get $sum)
                (f64x2.add
                  (f64x2.mul (local.get $low) (local.get $low))
                  (f64x2.mul (local.get $high) (local.get $high)))))
            (local.set $g (i32.add (local.get $g) (i32.const 16)))
            (local.set $factor (i32.add (local.get $factor) (i32.const 16)))
            (local.set $left (i32.sub (local.get $left) (i32.const 4)))
            (br $next)))
        (block $none
          (loop $next
            (br_if $none (i32.eqz (local.get $left)))
            (local.set $s
              (f64.promote_f32
                (f32.mul
                  (f32.mul (local.get $r) (f32.load (local.get $factor)))
                  (f32.mul (f32.load (local.get $g)) (local.get $scale)))))
            (local.set $rest
              (f64.add (local.get $rest) (f64.mul (local.get $s) (local.get $s))))
            (local.set $g (i32.add (local.get $g) (i32.const 4)))
            (local.set $factor (i32.add (local.get $factor) (i32.const 4)))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br $next)))
        (local.set $row (i32.add (local.get $row) (i32.const 4)))
        (local.set $rows (i32.sub (local.get $rows) (i32.const 1)))
        (br $nextrow)))
    (f64.store
      (local.get $square)
      (f64.add
        (f64.add
          (f64x2.extract_lane 0 (local.get $sum))
          (f64x2.extract_lane 1 (local.get $sum)))
        (local.get $rest))))

  ;; p = (p + decay × p) - (u / divisor) × lr over a block of rows, u as in adafactor_squares
  (func (export "adafactor_apply")
    (param $p i32) (param $g i32) (param $row i32) (param $factors i32)
    (param $rows i32) (param $columns i32)
    (param $scale f32) (param $mean f32) (param $divisor f32) (param $lr f32) (param $decay f32)
    (local $left i32) (local $factor i32) (local $r f32) (local $x v128) (local $s f32)
    (block $done
      (loop $nextrow
        (br_if $done (i32.eqz (local.get $rows)))
        (local.set $left (local.get $columns))
        (local.set $factor (local.get $factors))
        (local.set $r
          (f32.div
            (f32.const 1)
            (f32.sqrt (f32.div (f32.load (local.get $row)) (local.get $mean)))))
        (block $few
          (loop $next
            (br_if $few (i32.lt_u (local.get $left) (i32.const 4)))
            (local.set $x (v128.load (local.get $p)))
            (v128.store
              (local.get $p)
              (f32x4.sub
                (f32x4.add
                  (local.get $x)
                  (f32x4.mul (f32x4.splat (local.get $decay)) (local.get $x)))
                (f32x4.mul
                  (f32x4.div
                    (f32x4.mul
                      (f32x4.mul (f32x4.splat (local.get $r)) (v128.load (local.get $factor)))
                      (f32x4.mul (v128.load (local.get $g)) (f32x4.splat (local.get $scale))))
                    (f32x4.splat (local.get $divisor)))
                  (f32x4.splat (local.get $lr)))))
            (local.set $p (i32.add (local.get $p) (i32.const 16)))
            (local.set $g (i32.add (local.get $g) (i32.const 16)))
            (local.set $factor (i32.add (local.get $factor) (i32.const 16)))
            (local.set $left (i32.sub (local.get $left) (i32.const 4)))
            (br $next)))
        (block $none
          (loop $next
            (br_if $none (i32.eqz (local.get $left)))
            (local.set $s (f32.load (local.get $p)))
            (f32.store
              (local.get $p)
              (f32.sub
                (f32.add (local.get $s) (f32.mul (local.get $decay) (local.get $s)))
                (f32.mul
                  (f32.div
                    (f32.mul
                      (f32.mul (local.get $r) (f32.load (local.get $factor)))
                      (f32.mul (f32.load (local.get $g)) (local.get $scale)))
                    (local.get $divisor))
                  (local.get $lr))))
            (local.set $p (i32.add (local.get $p) (i32.const 4)))
            (local.set $g (i32.add (local.get $g) (i32.const 4)))
            (local.set $factor (i32.add (local.get $factor) (i32.const 4)))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br $next)))
        (local.set $row (i32.add (local.get $row) (i32.const 4)))
        (local.set $rows (i32.sub (local.get $rows) (i32.const 1)))
        (br $nextrow)))))
